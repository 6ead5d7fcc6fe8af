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
  @OptionGroup var preview: PreviewOptions
  @OptionGroup var messages: MessageOptions
  @OptionGroup var checkpoint: CheckpointOptions
  @OptionGroup var replay: ReplayOptions
  @OptionGroup var runtime: RuntimeOptions

  var computing: ThreadOptions? { runtime.model.parallel }
  var manner: Messages.Manner { messages.manner }
  var reportsJSON: Bool { out.report == .json }

  func run() async throws {
    try checkPicture()
    try checkpoint.check(edit.noise)
    let values = try edit.settings.list
    let outputs = try EditOutputs(
      pictures: EditOutputs.paths(out.output, values).map(out.picture), mask: edit.region.maskOutput,
      inversion: edit.inversion.saveInversion, plot: plot, keepsEXIF: !out.encoding.noMetadata)
    try outputs.check()
    try preview.check()
    let editor = try runtime.editor(
      RunFiles(read: edit.readPaths, written: outputs.named + preview.named + checkpoint.named))
    var (request, choice) = try edit.request(on: editor.model)
    request.showsPreviews = preview.preview != nil
    if let choice { note(choice) }
    (request.picture as? OpenPicture)?.tell()
    guard values.isEmpty else {
      let series = try editor.prepare(request, SettingOptions.listed, values: values)
      return try await run(series, outputs)
    }
    let job = try editor.prepare(request)
    try check(job)
    let record = try record(job.record()).of(outputs.pictures[0].encoding)
    try replay.compare(record)
    let report = try await checkpoint.use { journal in
      let result = try await perform(job, journal, preview)
      try outputs.write([result.picture], of: result, metadata: [out.metadata(of: result.report, record)])
      return result.report
    }
    try printResult(report, out)
  }

  /// Several values of a setting.
  private func run(_ series: EditSeries, _ outputs: EditOutputs) async throws {
    try check(series.first)
    let isSheet = outputs.pictures.count == 1
    let records = try (isSheet ? [nil] : series.values.indices.map { $0 }).map { i in
      try record(series.record(i))
    }
    try replay.compare(records[0])
    let reports = try await checkpoint.use { journal in
      let results = try await perform(series, journal, preview)
      let pictures: [any PictureSource] =
        isSheet
        ? [PictureSheet(zip(series.values, results).map { (label: $0, picture: $1.picture) })]
        : results.map(\.picture)
      let metadata = records.indices.map { out.metadata(of: results[$0].report, records[$0]) }
      try outputs.write(pictures, of: results[0], metadata: metadata)
      return results.map(\.report)
    }
    Messages.stage(nil)
    if out.report == .json { return try StandardOutput.write(json: reports.map { $0.withPeakNow }) }
    for picture in outputs.pictures where picture.path != "-" { try StandardOutput.write(path: picture.path) }
  }

  /// The record with what only the command knows.
  private func record(_ record: EditRecord) throws -> EditRecord {
    try runtime.model.completed(record, command: "edit")
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
