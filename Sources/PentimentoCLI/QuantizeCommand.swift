import ArgumentParser
import Files
import FoundationEssentials
import ImageFiles
import Kernels
import Packing
import Pentimento

struct QuantizeCommand: RunCommand {
  static let configuration = CommandConfiguration(
    commandName: "quantize", abstract: "Write a model as one file that the program computes from directly.",
    discussion: """
      The file is a valid safetensors file. int8 is a quarter of fp32's size and the fastest; fp16 is half of it and \
      loses next to nothing. Memory stays below 96 MB whatever the model.
      """)

  @Argument(
    help: "The model: a diffusers folder, or a single file of Stable Diffusion 1, 2 or XL.",
    completion: .models)
  var input: String

  @Argument(
    help: "The file to write; ends in .safetensors.", completion: .file(extensions: ["safetensors"]))
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

  @Option(
    help: ArgumentHelp(
      "For int8: run the model on this picture, rotate the input channels of layers that gain by it, and report how "
        + "well each part of the model, quantized alone, reconstructs the picture from its inversion. Takes hundreds of "
        + "evaluations.", valueName: "picture"), completion: .pictures)
  var calibrate: String?

  @Option(parsing: .unconditional, help: "What the picture of --calibrate shows.")
  var sourcePrompt: String?

  @Option(
    parsing: .unconditional,
    help: "Working size of --calibrate, as edit takes it; the model's own if left out.")
  var size: String?

  @Option(
    help: ArgumentHelp(
      "lcm: the file is to be sampled as a latent consistency model, whatever the model says. It is not needed where "
        + "the model says so.", valueName: "lcm"))
  var sampler: ConsistencySampler?

  @OptionGroup var parallel: ThreadOptions

  @Option(help: "json: the report as JSON on standard output instead of a table.")
  var report: ReportFormat?

  @OptionGroup var messages: MessageOptions
  @OptionGroup var reading: ModelReadingOptions

  func validate() throws {
    guard output.hasSuffix(".safetensors") else {
      throw ValidationError("\(output): the file to write has to end in .safetensors")
    }
    if calibrate != nil, weights != .int8 {
      throw ValidationError("--calibrate is for --weights int8; nothing else has anything to rotate")
    }
    if calibrate == nil, sourcePrompt != nil || size != nil {
      throw ValidationError(
        "--\(size == nil ? "source-prompt" : "size") is for --calibrate: name its picture, or leave it out")
    }
    if !keep.isEmpty, weights != .int8 {
      throw ValidationError("--keep is for --weights int8: everything stays as wide as fp16 without it")
    }
    if let nativeSize, !(64...4096).contains(nativeSize) || nativeSize % 8 != 0 {
      throw ValidationError("--native-size takes a multiple of 8 from 64 to 4096")
    }
  }

  var computing: ThreadOptions? { parallel }
  var manner: Messages.Manner { messages.manner }
  var reportsJSON: Bool { report == .json }

  func run() async throws {
    let written = [NamedFile("OUTPUT", output)]
    try RunFiles(read: [input] + reading.readPaths + [calibrate].compactMap { $0 }, written: written).check()
    let model = try reading.open(URL(fileURLWithPath: input), isConsistency: sampler != nil)
    // A single file may lead to others.
    try RunFiles(read: model.weightPaths, written: written).check()
    if let nativeSize, nativeSize % model.sizeMultiple != 0 {
      throw ValidationError("--native-size takes a multiple of \(model.sizeMultiple) for this model")
    }
    var request = QuantizationRequest(precision: weights, scales: scales)
    (request.nativeSize, request.kept) = (nativeSize, keep)
    let output = URL(fileURLWithPath: output)
    var calibration: Calibration?
    Messages.detail("model \(model.name), made for \(model.nativeSize) pixels")
    Messages.detail("kernels \(KernelSet.chosen.name), \(threads) \(threads == 1 ? "thread" : "threads")")
    if let sample = try calibrationPicture() {
      Messages.stage("calibrate")
      calibration = try await model.calibrate(
        on: sample, for: request, beside: output, threads: threads
      ) {
        note("calibrating: \($0)")
      }
      request.rotations = calibration!.widths
    }
    Messages.stage("quantize")
    let line = ProgressLine("weights")
    defer { line.clear() }
    let result = try model.quantize(to: output, request, threads: threads) { line.show($0, of: $1) }
    line.clear()
    Messages.stage(nil)
    if report == .json {
      return try StandardOutput.write(json: Report(quantization: result, calibration: calibration))
    }
    try StandardOutput.write(
      ([table(result)] + (calibration.map { [table($0)] } ?? [])).joined(separator: "\n\n"))
  }

  private func calibrationPicture() throws -> CalibrationPicture? {
    guard let calibrate else { return nil }
    return CalibrationPicture(
      try OpenPicture(calibrate), prompt: sourcePrompt ?? "",
      size: try size.map(WorkingSize.Request.init(parsing:)))
  }
}

/// The fields of the report, and what calibration found.
private struct Report: Encodable {
  var quantization: QuantizationReport
  var calibration: Calibration?

  private enum Field: CodingKey { case calibration }

  func encode(to encoder: any Encoder) throws {
    try quantization.encode(to: encoder)
    var fields = encoder.container(keyedBy: Field.self)
    try fields.encodeIfPresent(calibration, forKey: .calibration)
  }
}

/// The error of each part, and the rotations that gain most.
private func table(_ calibration: Calibration) -> String {
  func decibels(_ value: Double?) -> String { value.map { "\($0)" } ?? "equal" }
  var lines = ["reconstruction from an inversion with one part in int8, against the original, dB"]
  lines += calibration.groups.map { decibels($0.decibels).padding(to: 8) + $0.name }
  lines.append(decibels(calibration.whole).padding(to: 8) + "all parts")
  lines += ["", "\(calibration.rotations.count) weights rotated; gain in their layer, dB"]
  lines += calibration.rotations.prefix(10).map { "\($0.gain)".padding(to: 8) + "\($0.width)  \($0.weight)" }
  return lines.joined(separator: "\n")
}

/// The one sampler that a file can be told to be for.
enum ConsistencySampler: String, ExpressibleByArgument, CaseIterable { case lcm }

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
