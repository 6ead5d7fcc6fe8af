import FoundationEssentials
import Kernels
import Pentimento
import Platform

/// `pentimento-bench gradient MODEL [--size 512] [--max-ram BYTES] [--threads 2] [--runs 2] [--predict] [--train RANK]`:
/// what one loss of the noise network with its gradient by the text costs, on a made-up latent and text.
///
///     seconds     of one forward and backward pass, the best and all of them; the first reads what stays in memory
///     GMAC        multiply-adds of that, and those of blocks that are computed again
///     plan        bytes of the stage and of the process; arena, scratch, resident weights, window and read-ahead
///     peak        resident set of the process at its largest, pages of files included
///     read        bytes of weights that are fetched for one pass
///
/// `--predict` times predictions of the same stage instead, `--train` takes the gradients of a LoRA's matrices.
struct GradientMode: BenchMode {
  private var model = ""
  private var (size, threads, runs) = (512, 2, 2)
  private var maximumMemory: Int?
  private var rank: Int?
  private var predicts = false

  init(_ arguments: ArraySlice<String>) throws {
    var arguments = arguments
    func number() throws -> Int {
      guard let text = arguments.popFirst(), let value = Int(text) else {
        throw Misuse(description: "an option needs a number")
      }
      return value
    }
    while let argument = arguments.popFirst() {
      switch argument {
      case "--size": size = try number()
      case "--threads": threads = try number()
      case "--runs": runs = try number()
      case "--max-ram": maximumMemory = try number()
      case "--train": rank = try number()
      case "--predict": predicts = true
      default:
        guard model.isEmpty, !argument.hasPrefix("--") else {
          throw Misuse(description: "gradient has no \(argument)")
        }
        model = argument
      }
    }
    guard !model.isEmpty, runs >= 0 else { throw Misuse(description: "name a model") }
  }

  func run() async throws {
    let baseline = ProcessMemory.resident
    var model = try Model(at: URL(fileURLWithPath: model))
    if let rank { model = try model.training(rank: rank) }
    let planning = ContinuousClock.now
    let trial = try GradientTrial(
      model, size: size, threads: threads, budget: maximumMemory.map { $0 - baseline }, trains: rank != nil)
    print("planned in \(decimals(planning.duration(to: .now) / .milliseconds(1))) ms")
    let plan = trial.plan
    let cost = plan.gradient!
    print(
      "GMAC \(decimals(Double(cost.multiplyAdds) / 1e9)), again \(decimals(Double(cost.recomputedMultiplyAdds) / 1e9)) "
        + "in \(cost.recomputedBlocks) of \(cost.blocks) blocks")
    print(
      "plan \(mb(plan.total + baseline)) MB: process \(mb(baseline)), activations \(mb(plan.arena)), "
        + "scratch \(mb(plan.scratch)), trained \(mb(plan.parameters)), resident weights \(mb(plan.residentWeights)), "
        + "streaming \(mb(plan.streaming))")
    print(
      "everything kept: activations \(mb(cost.arenaKeepingAll)) MB; least: \(mb(cost.least)) MB, of that activations "
        + "\(mb(cost.leastArena)), scratch \(mb(cost.leastScratch)), window \(mb(cost.leastStreaming))")
    guard runs > 0 else { return }
    let network = try await trial.open()
    var seconds: [Double] = []
    for _ in 0..<runs {
      let start = ContinuousClock.now
      if predicts { try await trial.predict(network) } else { try await trial.differentiate(network) }
      seconds.append(start.duration(to: .now) / .seconds(1))
    }
    print(
      "seconds \(decimals(seconds.min()!, 2)) (\(seconds.map { decimals($0, 2) }.joined(separator: ", ")))")
    print("peak \(mb(ProcessMemory.peak)) MB, read \(mb(await network.streamedBytes / runs)) MB a pass")
  }

  private func mb(_ bytes: Int) -> String { decimals(Double(bytes) / 1e6) }
}
