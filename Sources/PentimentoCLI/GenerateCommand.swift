import ArgumentParser
import ImageFiles
import Pentimento
import Tensors

struct GenerateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Make a picture from a text, with concepts if there are any.")

  @OptionGroup var prompts: PromptOptions
  @OptionGroup(title: "Settings of the methods") var settings: SettingOptions
  @OptionGroup var noise: SeedOptions
  @OptionGroup var size: SizeOptions
  @OptionGroup var out: OutputOptions
  @OptionGroup var runtime: RuntimeOptions

  func run() async throws {
    try await reportingErrors {
      try PictureFile.checkWritable(out.output)
      let editor = try runtime.editor()
      let working = try size.workingSize(of: nil, for: editor.model)
      var request = EditRequest(
        method: "generate", width: working.padded.width, height: working.padded.height)
      request.settings = settings.settings
      request.seed = noise.seed ?? request.seed
      try prompts.apply(to: &request)
      request.method = try MethodEntry.choose(for: request).name
      let result = try await perform(
        request, choice: nil, editor, pictures: PictureMemory(writing: 3 * working.content.area))
      try write(Geometry(picture: working.content, working: working).restore(result.picture), result, out)
    }
  }
}
