import ArgumentParser
import Foundation
import ImageFiles
import Pentimento
import Tensors

struct EditCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "edit", abstract: "Edit a picture. The result has the size of the picture.")

  @OptionGroup var edit: EditOptions
  @OptionGroup var prompts: PromptOptions
  @OptionGroup var settings: SettingOptions
  @OptionGroup var out: OutputOptions
  @OptionGroup var runtime: ModelOptions

  func run() async throws {
    try await reportingErrors {
      let original = try PictureFile.read(edit.image)
      let model = try runtime.open()
      let working = try settings.workingSize(of: Extent(original), for: model)
      let geometry = Geometry(picture: Extent(original), working: working)

      var request = EditRequest(method: edit.method, working: working, prompts)
      request.picture = geometry.workingPicture(original)
      edit.apply(to: &request)
      settings.apply(to: &request)
      try await finish(request, model, runtime, out) { geometry.restore($0) }
    }
  }
}

struct GenerateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Make a picture from a text.")

  @OptionGroup var prompts: PromptOptions
  @OptionGroup var settings: SettingOptions
  @OptionGroup var out: OutputOptions
  @OptionGroup var runtime: ModelOptions

  func run() async throws {
    try await reportingErrors {
      let model = try runtime.open()
      let working = try settings.workingSize(of: nil, for: model)
      var request = EditRequest(method: "generate", working: working, prompts)
      settings.apply(to: &request)
      let asked = Geometry(picture: working.content, working: working)
      try await finish(request, model, runtime, out) { asked.restore($0) }
    }
  }
}

extension EditRequest {
  init(method: String, working: WorkingSize, _ prompts: PromptOptions) {
    self.init(method: method, width: working.padded.width, height: working.padded.height)
    prompt = prompts.prompt
    negativePrompt = prompts.negativePrompt
  }
}

/// Runs a request, writes its picture and prints its result.
private func finish(
  _ request: EditRequest, _ model: Model, _ runtime: ModelOptions, _ out: OutputOptions,
  restore: (Picture) -> Picture
) async throws {
  note("\(request.method), seed \(request.seed), \(request.width)×\(request.height) working pixels")
  let progress = ProgressLine()
  let editor = Editor(model: model, threads: runtime.threads)
  let result = try await editor.run(request) { done, total in progress.show(done, of: total) }
  progress.clear()
  for cut in result.report.cutPrompts { note("the prompt is longer than the model reads; left out: \"\(cut)\"") }

  try PictureFile.write(
    restore(result.picture), to: out.output, metadata: out.noMetadata ? [] : metadata(of: result.report))
  switch out.report {
  case .json:
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    print(String(decoding: try encoder.encode(result.report), as: UTF8.self))
  case nil:
    print(out.output)
  }
}

/// What it takes to make the picture again: no time, no machine.
private func metadata(of report: EditReport) -> [(String, String)] {
  var lines = ["method": report.method, "model": report.model, "seed": "\(report.seed)"]
  lines["generator"] = report.generator
  lines["size"] = "\(report.width)x\(report.height)"
  lines["prompt"] = report.prompt
  lines["source prompt"] = report.sourcePrompt
  lines["negative prompt"] = report.negativePrompt
  for (name, value) in report.parameters { lines[name] = value }
  let text = lines.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: "\n")
  return [("Software", "pentimento"), ("parameters", text)]
}
