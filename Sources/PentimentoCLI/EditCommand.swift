import ArgumentParser
import ImageFiles
import Pentimento

struct EditCommand: RunCommand {
  static let configuration = CommandConfiguration(
    commandName: "edit", abstract: "Edit a picture. The result has the size of the picture.",
    discussion: """
      A setting with several values (--interpolation 0.4,0.6,0.8) makes a sheet of all results, or, where --output has \
      {} in its name, a picture of each.
      """)

  @OptionGroup var edit: EditOptions
  @OptionGroup var out: OutputOptions
  @OptionGroup var plot: PlotOptions
  @OptionGroup var checkpoint: CheckpointOptions
  @OptionGroup var runtime: RuntimeOptions

  var computing: ThreadOptions? { runtime.model.parallel }

  func run() async throws {
    try checkPicture()
    let values = try edit.settings.list
    let outputs = EditOutputs(
      pictures: EditOutputs.paths(out.output, values), mask: edit.region.saveMask,
      inversion: edit.inversion.saveInversion, plot: plot)
    try outputs.check()
    let editor = try runtime.editor(RunFiles(read: edit.readPaths, written: outputs.named + checkpoint.named))
    let (request, choice) = try edit.request()
    if let choice { note(choice) }
    guard values.isEmpty else {
      let series = try editor.prepare(request, SettingOptions.listed, values: values)
      return try await run(series, outputs)
    }
    let job = try editor.prepare(request)
    try check(job)
    let report = try await checkpoint.use { journal in
      let result = try await perform(job, journal)
      try outputs.write([result.picture], of: result, metadata: out.metadata(of: result.report))
      return result.report
    }
    try printResult(report, out)
  }

  /// Several values of a setting.
  private func run(_ series: EditSeries, _ outputs: EditOutputs) async throws {
    try check(series.first)
    let reports = try await checkpoint.use { journal in
      let results = try await perform(series, journal)
      var metadata = results[0].report
      if outputs.pictures.count == 1 {
        metadata.parameters[series.setting] = series.values.map { "\($0)" }.joined(separator: ", ")
      }
      let pictures: [any PictureSource] =
        outputs.pictures.count > 1
        ? results.map(\.picture)
        : [PictureSheet(zip(series.values, results).map { (label: $0, picture: $1.picture) })]
      try outputs.write(pictures, of: results[0], metadata: out.metadata(of: metadata))
      return results.map(\.report)
    }
    if out.report == .json { return try StandardOutput.write(json: reports.map { $0.withPeakNow }) }
    for path in outputs.pictures { try StandardOutput.write(path: path) }
  }

  private func check(_ job: EditJob) throws {
    try edit.region.check(job)
    guard plot.plot == nil || job.gradients > 0 else {
      throw ValidationError("\(job.methodName) tunes nothing and has no losses to draw: leave --plot out")
    }
  }

  private func checkPicture() throws {
    guard edit.picturePath == nil, edit.inversion.inversion == nil else { return }
    throw ValidationError(
      edit.region.dragFile == nil
        ? "there is no picture: name it with --image"
        : "no origin_image.png lies beside the --drag-file: name the picture with --image")
  }
}
