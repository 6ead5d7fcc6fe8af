import ArgumentParser
import ImageFiles
import Pentimento

struct GenerateCommand: RunCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Make a picture from a text, with concepts if there are any.")

  @OptionGroup var prompts: PromptOptions
  @OptionGroup(title: SettingOptions.title) var settings: SettingOptions
  @OptionGroup var noise: SeedOptions
  @OptionGroup var size: ExtentOptions
  @OptionGroup var out: OutputOptions
  @OptionGroup var preview: PreviewOptions
  @OptionGroup var messages: MessageOptions
  @OptionGroup var checkpoint: CheckpointOptions
  @OptionGroup var replay: ReplayOptions
  @OptionGroup var runtime: RuntimeOptions

  var computing: ThreadOptions? { runtime.model.parallel }
  var manner: Messages.Manner { messages.manner }
  var reportsJSON: Bool { out.report == .json }

  func run() async throws {
    try refuseOthersSettings()
    try checkpoint.check(noise)
    let outputs = try EditOutputs(pictures: [out.picture(out.output)])
    try outputs.check()
    try preview.check()
    let editor = try runtime.editor(
      RunFiles(written: outputs.named + preview.named + checkpoint.named))
    var request = EditRequest()
    request.seed = noise.chosen()
    request.showsPreviews = preview.preview != nil
    request.size = try size.request
    try prompts.apply(to: &request)
    request.method =
      try EditMethod.resolve(
        "auto", settings: settings.settings, for: request, on: editor.model.kind
      ).method
    let job = try editor.prepare(request)
    let record = try runtime.model.completed(job.record(), command: "generate")
      .of(outputs.pictures[0].encoding)
    try replay.compare(record)
    let report = try await checkpoint.use { journal in
      let result = try await perform(job, journal, preview)
      try outputs.write([result.picture], of: result, metadata: [out.metadata(of: result.report, record)])
      return result.report
    }
    try printResult(report, out)
  }

  /// Settings are declared for all commands at once.
  private func refuseOthersSettings() throws {
    guard !settings.settings.isEmpty, let command = CommandTable.shared[Self.configuration.commandName!]
    else { return }
    for name in settings.settings.keys.sorted() {
      if let sentence = WrongWords.settingElsewhere("--\(name)", of: command) {
        throw ValidationError(sentence)
      }
    }
  }
}
