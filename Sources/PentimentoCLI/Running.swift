import ArgumentParser
import FoundationEssentials
import ImageFiles
import Pentimento
import Tensors

/// Runs a request with progress on the terminal.
func perform(
  _ request: EditRequest, choice: String?, _ editor: Editor, pictures: PictureMemory
) async throws -> EditResult {
  // What cannot be run is refused before anything is said about it.
  _ = try editor.plan(request, pictures: pictures)
  if let choice { note(choice) }
  note("\(request.method), seed \(request.seed), \(request.width)×\(request.height) working pixels")
  let progress = ProgressLine()
  let result = try await editor.run(request, pictures: pictures) { done, total in
    progress.show(done, of: total)
  }
  progress.clear()
  for cut in result.report.cutPrompts {
    note("the prompt is longer than the model reads; left out: \"\(cut)\"")
  }
  for warning in result.report.warnings { note(warning) }
  return result
}

/// Writes the picture and prints the path or the report.
func write(_ picture: Picture, _ result: EditResult, _ out: OutputOptions) throws {
  try Task.checkCancellation()
  try PictureFile.write(
    picture, to: out.output, metadata: out.noMetadata ? [] : metadata(of: result.report))
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
  lines["working size"] = "\(report.width)x\(report.height)"
  lines["prompt"] = report.prompt
  lines["source prompt"] = report.sourcePrompt
  lines["negative prompt"] = report.negativePrompt
  if !report.concepts.isEmpty { lines["concepts"] = report.concepts.joined(separator: ", ") }
  for (name, value) in report.parameters { lines[name] = value }
  let text = lines.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: "\n")
  return [("Software", "pentimento"), ("parameters", text)]
}
