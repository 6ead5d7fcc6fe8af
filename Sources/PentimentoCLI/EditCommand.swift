import ArgumentParser
import ImageFiles
import Pentimento

struct EditCommand: RunCommand {
  static let configuration = CommandConfiguration(
    commandName: "edit", abstract: "Edit a picture. The result has the size of the picture.")

  @OptionGroup var edit: EditOptions
  @OptionGroup var out: OutputOptions
  @OptionGroup var checkpoint: CheckpointOptions
  @OptionGroup var runtime: RuntimeOptions

  var threads: Int { runtime.model.threads }

  func run() async throws {
    try checkPicture()
    let outputs = EditOutputs(
      picture: out.output, mask: edit.region.saveMask, inversion: edit.inversion.saveInversion)
    try outputs.check()
    let editor = try runtime.editor(RunFiles(read: edit.readPaths, written: outputs.named + checkpoint.named))
    let (request, choice) = try edit.request()
    let job = try editor.prepare(request)
    try edit.region.check(job)
    let report = try await checkpoint.use { journal in
      let result = try await perform(job, choice: choice, journal)
      try outputs.write(result, metadata: out.metadata(of: result.report))
      return result.report
    }
    try printResult(report, out)
  }

  private func checkPicture() throws {
    guard edit.picturePath == nil, edit.inversion.inversion == nil else { return }
    throw ValidationError(
      edit.region.dragFile == nil
        ? "there is no picture: name it with --image"
        : "no origin_image.png lies beside the --drag-file: name the picture with --image")
  }
}
