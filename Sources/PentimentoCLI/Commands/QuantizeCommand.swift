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
  var output: String?

  @Flag(
    help: ArgumentHelp(
      "Write nothing: say how large the file would be, which layers stay fp16, and what int8 weights would lose, from a "
        + "sample of them."))
  var dryRun = false

  @Option(help: "What weights become: int8, fp16 or fp32. Layers that int8 harms most stay fp16.")
  var weights: WeightPrecision

  @Option(help: "How int8 scales are chosen: search (least error) or max-abs (faster).")
  var scales: ScaleChoice = .search

  @Option(help: "Side of the square pictures the model was trained on, in pixels, whatever the model says.")
  var nativeSize: Int?

  @Option(
    help: ArgumentHelp(
      "What weights become that have this in their names, where * stands for anything: 'unet.mid_block=fp16', "
        + "'vae=fp32', 'unet.*.attn2=int8'. Repeatable; the last one that fits holds.",
      valueName: "name=int8|fp16|fp32"))
  var rule: [WeightRule] = []

  @Option(
    help: ArgumentHelp(
      "Part of the names of weights that stay fp16 in an int8 file: --rule NAME=fp16. Repeatable.",
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
    if output == nil, !dryRun {
      throw ValidationError("name the file to write, which ends in .safetensors, or only look with --dry-run")
    }
    if let output, !output.hasSuffix(".safetensors") {
      throw ValidationError("\(output): the file to write has to end in .safetensors")
    }
    if dryRun, calibrate != nil {
      throw ValidationError("--dry-run computes with no model: leave --calibrate out")
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
    let written = output.map { [NamedFile("OUTPUT", $0)] } ?? []
    try RunFiles(read: [input] + reading.readPaths + [calibrate].compactMap { $0 }, written: written).check()
    let model = try reading.open(URL(fileURLWithPath: input), isConsistency: sampler != nil)
    // A single file may lead to others.
    try RunFiles(read: model.weightPaths, written: written).check()
    if let nativeSize, nativeSize % model.sizeMultiple != 0 {
      throw ValidationError("--native-size takes a multiple of \(model.sizeMultiple) for this model")
    }
    var request = QuantizationRequest(precision: weights, scales: scales)
    request.nativeSize = nativeSize
    request.rules = keep.map { WeightRule($0, .fp16) } + rule
    guard !dryRun, let output = output.map({ URL(fileURLWithPath: $0) }) else {
      return try await forecast(of: model, request)
    }
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
      ([result.table] + (calibration.map { [$0.table] } ?? [])).joined(separator: "\n\n"))
  }

  private func forecast(of model: Model, _ request: QuantizationRequest) async throws {
    let line = ProgressLine("weights")
    defer { line.clear() }
    let result = try model.forecast(request, threads: threads) { line.show($0, of: $1) }
    line.clear()
    if report == .json {
      return try StandardOutput.write(json: Report(quantization: result, calibration: nil))
    }
    try StandardOutput.write(result.table)
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

/// The one sampler that a file can be told to be for.
enum ConsistencySampler: String, ExpressibleByArgument, CaseIterable { case lcm }

extension WeightRule: ExpressibleByArgument {
  public init?(argument: String) { self.init(parsing: argument) }
}

extension WeightPrecision: ExpressibleByArgument {}
extension ScaleChoice: ExpressibleByArgument {}
