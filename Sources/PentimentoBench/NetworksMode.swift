import FoundationEssentials
import Kernels
import Packing
import Pentimento
import Platform

/// `pentimento-bench networks [MODEL] [--network unet|decoder|encoder|text|gradient] [--size 512] [--family sd15|sdxl]
/// [--weights int8|fp16|fp32] [--batch 1] [--threads 2] [--runs 3] [--isa NAME] [--max-ram BYTES] [--precision f32|f16] [--seconds] [--keep FILE]`:
/// what whole networks cost, and which operators.
///
/// Without MODEL on random weights in published shapes, which are written to a file, kept as FILE if one is named. Without
/// `--network` and `--size` all rows: the noise networks of Stable Diffusion 1.5 at 256, 512 and 768 pixels and of SDXL
/// at 512 and 1024, and of the first at 512 the autoencoder both ways, the text encoder, and forward and backward.
///
///     seconds      of one run, the median and the extremes; the run in the middle is the one whose operators are shown
///     GMAC         multiply-adds, 10⁹
///     of peak      the time that its multiply-adds would take at the peak, as part of the time taken
///     peak         multiply-adds a second with all operands in registers, of bytes and floats, before every row
///
/// A class of operators on bytes and on floats is two lines. What the former take to quantize their inputs is measured
/// beside them, and not added. `--seconds` answers every line of standard input with the
/// seconds of one run, for comparisons in turn.
struct NetworksMode: BenchMode {
  private struct Row {
    var network: MeasuredNetwork.Kind, family: MadeUpModel, size: Int
  }

  private static let rows = [
    Row(network: .unet, family: .sd15, size: 256), Row(network: .unet, family: .sd15, size: 512),
    Row(network: .unet, family: .sd15, size: 768), Row(network: .decoder, family: .sd15, size: 512),
    Row(network: .encoder, family: .sd15, size: 512), Row(network: .text, family: .sd15, size: 512),
    Row(network: .gradient, family: .sd15, size: 512), Row(network: .unet, family: .sdxl, size: 512),
    Row(network: .unet, family: .sdxl, size: 1024),
  ]

  private var model: String?
  private var network: MeasuredNetwork.Kind?
  private var family: MadeUpModel?
  private var size: Int?
  private var precision = WeightPrecision.int8
  private var activations = ActivationPrecision.f32
  private var (batch, threads, runs) = (1, 2, 3)
  private var budget: Int?
  private var kept: String?
  private var answersTurns = false

  init(_ arguments: ArraySlice<String>) throws {
    var arguments = arguments
    func value(of option: String) throws -> String {
      guard let text = arguments.popFirst() else { throw Misuse(description: "\(option) needs a value") }
      return text
    }
    func number(of option: String) throws -> Int {
      guard let number = Int(try value(of: option)), number > 0 else {
        throw Misuse(description: "\(option) takes a number")
      }
      return number
    }
    func choice<Choice: RawRepresentable & CaseIterable>(of option: String, _: Choice.Type) throws -> Choice
    where Choice.RawValue == String {
      let text = try value(of: option)
      guard let choice = Choice(rawValue: text) else {
        let all = Choice.allCases.map(\.rawValue).joined(separator: ", ")
        throw Misuse(description: "\(option) takes \(all), not \"\(text)\"")
      }
      return choice
    }
    while let argument = arguments.popFirst() {
      switch argument {
      case "--network": network = try choice(of: argument, MeasuredNetwork.Kind.self)
      case "--family": family = try choice(of: argument, MadeUpModel.self)
      case "--weights": precision = try choice(of: argument, WeightPrecision.self)
      case "--size": size = try number(of: argument)
      case "--batch": batch = try number(of: argument)
      case "--threads": threads = try number(of: argument)
      case "--runs": runs = try number(of: argument)
      case "--max-ram": budget = try number(of: argument)
      case "--precision": activations = try choice(of: argument, ActivationPrecision.self)
      case "--keep": kept = try value(of: argument)
      case "--seconds": answersTurns = true
      default:
        guard model == nil, !argument.hasPrefix("--") else {
          throw Misuse(description: "networks has no \(argument)")
        }
        model = argument
      }
    }
  }

  func run() async throws {
    let pool = try ThreadPool(threads: threads)
    let rows = self.rows
    guard !answersTurns else { return try answerTurns(rows[0], pool) }
    print(
      "\(pool.kernels), \(threads) threads, \(model ?? "random \(precision.rawValue) weights"), "
        + "median of \(runs) runs")
    for family in MadeUpModel.allCases where rows.contains(where: { $0.family == family }) {
      try withModel(family) { model in
        for row in rows where row.family == family { try measure(row, model, pool) }
      }
    }
  }

  private var rows: [Row] {
    if network == nil, size == nil {
      let all = Self.rows.filter { family == nil || $0.family == family }
      return model == nil ? all : all.filter { $0.family == family ?? .sd15 }
    }
    return [Row(network: network ?? .unet, family: family ?? .sd15, size: size ?? 512)]
  }

  /// The model that was named, or one that is made up and gone afterwards.
  private func withModel(_ family: MadeUpModel, _ body: (Model) throws -> Void) throws {
    if let model {
      return try body(Model(at: URL(fileURLWithPath: model)).computing(activations: activations))
    }
    let name = "pentimento-bench-\(family.rawValue)-\(ProcessInfo.processInfo.processIdentifier).safetensors"
    let path = kept ?? FileManager.default.temporaryDirectory.appending(path: name).path
    if kept == nil || !FileManager.default.fileExists(atPath: path) {
      try family.write(to: path, precision: precision, threads: threads)
    }
    let opened = try Model(at: URL(fileURLWithPath: path))
    // What is open stays, whatever happens to the name.
    if kept == nil { try FileManager.default.removeItem(atPath: path) }
    try body(opened.computing(activations: activations))
  }

  private func measure(_ row: Row, _ model: Model, _ pool: ThreadPool) throws {
    let peak = Peak(pool)
    let network = try MeasuredNetwork(
      row.network, of: model, size: row.size, batch: batch, budget: budget, pool)
    _ = try network.run()
    let all = try (0..<runs).map { _ in try network.run() }.sorted { $0.seconds < $1.seconds }
    let title =
      "\(row.network) \(model.family), \(row.size)×\(row.size)" + (batch > 1 ? ", batch \(batch)" : "")
    let quantizing = try network.quantizing(pool)
    CostTable(
      title: title, run: all[all.count / 2], least: all[0].seconds, most: all.last!.seconds,
      quantizing: quantizing, peak: peak
    )
    .print()
  }

  private func answerTurns(_ row: Row, _ pool: ThreadPool) throws {
    try withModel(row.family) { model in
      let network = try MeasuredNetwork(
        row.network, of: model, size: row.size, batch: batch, budget: budget, pool)
      while readLine() != nil {
        print(decimals(try network.time() * 1e3, 2), ProcessMemory.peak / 1_000_000)
        fflush(nil)
      }
    }
  }
}
