import ArgumentParser
import FoundationEssentials
import Kernels
import Packing
import Pentimento

struct QuantizeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quantize", abstract: "Write a model as one file that the program computes from directly.",
    discussion: """
      The file is a valid safetensors file. int8 is a quarter of fp32's size and the fastest; fp16 is half of it and \
      loses next to nothing. Memory stays below 96 MB whatever the model.
      """)

  @Argument(
    help: "The model: a diffusers folder, or a single file of Stable Diffusion 1, 2 or XL.",
    completion: .file())
  var input: String

  @Argument(help: "The file to write; ends in .safetensors.", completion: .file())
  var output: String

  @Option(help: "What weights become: int8, fp16 or fp32. Layers that int8 harms most stay fp16.")
  var weights: WeightPrecision

  @Option(help: "How int8 scales are chosen: search (least error) or max-abs (faster).")
  var scales: ScaleChoice = .search

  @Option(help: "Side of the square pictures the model was trained on, in pixels, whatever the model says.")
  var nativeSize: Int?

  @Option(
    help: ArgumentHelp(
      "Part of the names of weights that stay fp16 in an int8 file, as 'unet.mid_block'. Repeatable.",
      valueName: "name"))
  var keep: [String] = []

  @Option(name: .shortAndLong, help: "Threads. The result does not depend on them.")
  var threads = ProcessInfo.processInfo.activeProcessorCount

  @Option(help: "json: the report as JSON on standard output instead of a table.")
  var report: ReportFormat?

  @OptionGroup var reading: ModelReadingOptions

  func validate() throws {
    guard output.hasSuffix(".safetensors") else {
      throw ValidationError("\(output): the file to write has to end in .safetensors")
    }
    guard (1...256).contains(threads) else { throw ValidationError("--threads takes 1 to 256") }
    if let nativeSize, !(64...4096).contains(nativeSize) || nativeSize % 8 != 0 {
      throw ValidationError("--native-size takes a multiple of 8 from 64 to 4096")
    }
  }

  func run() async throws {
    try await reportingErrors {
      let model = try reading.open(URL(fileURLWithPath: input))
      try checkDistinct([("OUTPUT", output)], sparing: model.weightPaths)
      for note in model.notes { PentimentoCLI.note(note) }
      var request = QuantizationRequest(precision: weights, scales: scales)
      (request.nativeSize, request.kept) = (nativeSize, keep)
      let result = try model.quantize(to: URL(fileURLWithPath: output), request, threads: threads)
      if report == .json {
        print(try jsonText(result))
      } else {
        print(table(result))
      }
    }
  }
}

extension WeightPrecision: ExpressibleByArgument {}
extension ScaleChoice: ExpressibleByArgument {}

/// Totals, and the ten weights that lost most.
private func table(_ report: QuantizationReport) -> String {
  func row(_ cells: [String]) -> String {
    cells[0].padding(to: 8) + cells.dropFirst().map { $0.aligned(to: 12) }.joined()
  }
  var lines = [row(["stored", "weights", "numbers", "MB"])]
  for (kind, weights, numbers, bytes) in report.totals {
    lines.append(row([kind, "\(weights)", "\(numbers)", String(megabytes: bytes)]))
  }
  lines.append(row(["file", "", "", String(megabytes: report.bytes)]))
  let worst = report.worst(10)
  if !worst.isEmpty { lines += ["", "signal to noise of the weights that lost most, dB"] }
  for entry in worst { lines.append("\(entry.signalToNoise!)".padding(to: 8) + "\(entry.to)  \(entry.name)") }
  return lines.joined(separator: "\n")
}
