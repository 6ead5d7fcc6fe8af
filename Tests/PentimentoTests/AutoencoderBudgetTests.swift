import Foundation
import Kernels
import Pentimento
import Runtime
import Tensors
import TestSupport
import Testing

/// The autoencoder under every budget: as much of its pictures is kept as fits, and the bits stay.
@Suite("Autoencoder within a budget") struct AutoencoderBudgetTests {
  private static let embedded = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appending(path: "../../Weights/embedded").standardizedFileURL
  private static let side = 256

  private func stage(_ network: String, of model: Model, within budget: Int?) throws -> Stage {
    let stages = Stages(model: model, threads: 2, budget: budget)
    return network == "decode"
      ? try stages.decoder(width: Self.side, height: Self.side)
      : try stages.encoder(width: Self.side, height: Self.side)
  }

  private func run(_ stage: Stage) throws -> HostTensor {
    let executor = try Executor(stage.graph, stage.plan, weights: stage.weights, pool: .of(2))
    executor.poison()
    let input =
      stage.name == "decode"
      ? ["latent": HostTensor.random([Self.side / 8, Self.side / 8, 4], seed: 3)]
      : ["image": HostTensor.random([Self.side, Self.side, 3], seed: 4)]
    return try executor.run([input]).first!.first!.value
  }

  @Test(
    "gives the same bits, and keeps the budget", arguments: ["decode", "encode"], ActivationPrecision.allCases
  )
  func budgets(network: String, precision: ActivationPrecision) throws {
    let model = try Model(folder: Self.embedded).computing(activations: precision)
    let whole = try stage(network, of: model, within: nil)
    let wanted = try run(whole)
    #expect(wanted.isFinite)
    var arenas = [whole.plan.arenaBytes]
    let least = try leastBytes(of: network, of: model)
    #expect(least < whole.plan.peakBytes * 4 / 5)
    for budget in [(whole.plan.peakBytes + least) / 2, least] {
      let smaller = try stage(network, of: model, within: budget)
      #expect(smaller.plan.peakBytes <= budget)
      arenas.append(smaller.plan.arenaBytes)
      #expect(try run(smaller).values == wanted.values, "\(budget) of \(whole.plan.peakBytes) bytes")
    }
    #expect(arenas == arenas.sorted(by: >) && arenas.last! < arenas[0] / 2)
  }

  /// What a refusal says.
  private func leastBytes(of network: String, of model: Model) throws -> Int {
    do {
      _ = try stage(network, of: model, within: 1_000_000)
    } catch RequestError.overBudget(_, let needed, _, _, _) {
      return needed
    }
    Issue.record("\(network) in a megabyte")
    return 0
  }

  @Test("says how little would do") func least() throws {
    let model = try Model(folder: Self.embedded)
    let needed = try leastBytes(of: "decode", of: model)
    #expect(throws: Never.self) { try stage("decode", of: model, within: needed) }
    #expect(throws: RequestError.self) { try stage("decode", of: model, within: needed - 1) }
  }

  @Test("in halves comes close to floats") func precision() throws {
    let model = try Model(folder: Self.embedded)
    let floats = try run(stage("decode", of: model, within: nil))
    let halves = try run(stage("decode", of: model.computing(activations: .f16), within: nil))
    let errors = zip(floats.values, halves.values).map { Double($0 - $1) * Double($0 - $1) }
    // Pictures lie in −1…1. Each of some twenty kept results adds an error of 2⁻¹²/√3 of its values, 77 dB below them,
    // 64 dB together; a decoder spreads its values over less than four times the picture's range.
    let decibels = 10 * log10(4 / (errors.reduce(0, +) / Double(errors.count)))
    #expect(decibels > 52 && decibels < 110)
  }
}
