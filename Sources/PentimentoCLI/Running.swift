import ArgumentParser
import FoundationEssentials
import ImageFiles
import Pentimento
import Tensors

/// Runs a request with progress on the terminal, and says on standard error what the user should know of it.
func perform(
  _ request: EditRequest, choice: String?, _ editor: Editor, pictures: PictureMemory
) async throws -> EditResult {
  // What cannot be run is refused before anything is said about it.
  _ = try editor.plan(request, pictures: pictures)
  if let choice { note(choice) }
  note("\(request.method), seed \(request.seed), \(request.width)×\(request.height) working pixels")
  let result = try await showingProgress { progress in
    try await editor.run(request, pictures: pictures, progress: progress)
  }
  // An interrupt that comes later is too late: all files are written, or none.
  try Task.checkCancellation()
  for cut in result.report.cutPrompts {
    note("the prompt is longer than the model reads; left out: \"\(cut)\"")
  }
  for warning in result.report.warnings { note(warning) }
  return result
}

/// A line of progress that is gone before anything else is said, a failure included.
private func showingProgress(
  _ work: (_ progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void) async throws -> EditResult
) async throws -> EditResult {
  let line = ProgressLine()
  defer { line.clear() }
  return try await work { done, total in line.show(done, of: total) }
}

/// Writes the picture and prints the path or the report.
func write(_ picture: Picture, _ result: EditResult, _ out: OutputOptions) throws {
  try PictureFile.write(
    picture, to: out.output, metadata: out.noMetadata ? [] : metadata(of: result.report))
  switch out.report {
  case .json:
    print(try jsonText(result.report))
  case nil:
    print(out.output)
  }
}

/// What it takes to make the picture again: no time, no machine.
private func metadata(of report: EditReport) -> [(String, String)] {
  var lines = ["method": report.method, "model": report.model, "seed": "\(report.seed)"]
  lines["generator"] = report.generator
  lines["working size"] = "\(report.width)x\(report.height)"
  if !report.lora.isEmpty { lines["lora"] = report.lora.joined(separator: ", ") }
  lines["prompt"] = report.prompt
  lines["source prompt"] = report.sourcePrompt
  lines["negative prompt"] = report.negativePrompt
  if !report.concepts.isEmpty { lines["concepts"] = report.concepts.joined(separator: ", ") }
  for (name, value) in report.parameters { lines[name] = value }
  let text = lines.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: "\n")
  return [("Software", "pentimento"), ("parameters", text)]
}
