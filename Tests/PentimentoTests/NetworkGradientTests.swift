import Editing
import Foundation
import Kernels
import NeuralGraph
import Packing
import Pentimento
import Runtime
import Tensors
import TestSupport
import Testing

private let package = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().appending(path: "../..").standardizedFileURL

/// A noise network at 64×64 pixels with gradients by everything that there is: context, latent and, where it is
/// trained, every matrix of its side branches.
private struct Subject {
  let model: Model
  var kept: KeptValues = [.seededGradient, .contextGradient, .latentGradient]

  /// - Parameter rank: of side branches on every attention; nil for the model as it is.
  init(_ configuration: String, rank: Int? = nil, _ precision: ActivationPrecision = .f32) throws {
    let model = try Model(folder: package.appending(path: "Tests/Fixtures/\(configuration)/model"))
    try self.init(model.computing(activations: precision), rank: rank)
  }

  init(_ model: Model, rank: Int? = nil) throws {
    self.model = try rank.map(model.training) ?? model
    if rank != nil { kept.insert(.parameterGradients) }
  }

  func stage(budget: Int? = nil, keeping kept: KeptValues? = nil) throws -> Stage {
    try Stages(model: model, threads: 2, budget: budget).noise(
      width: 64, height: 64, keeping: kept ?? self.kept)
  }

  func executor(_ stage: Stage) throws -> Executor {
    let executor = try Executor(stage.graph, stage.plan, weights: stage.weights, pool: ThreadPool.of(2))
    executor.poison()
    executor.update(
      Dictionary(
        uniqueKeysWithValues: stage.graph.parameters.enumerated().map { index, parameter in
          let shape = stage.graph.type(parameter.value).shape
          return (parameter.name, HostTensor.random(shape, seed: UInt64(100 + index), scale: 0.1))
        }))
    return executor
  }

  /// Everything that the stage keeps.
  func run(_ stage: Stage, only wanted: Set<String>? = nil) throws -> [String: HostTensor] {
    try executor(stage).run([inputs(of: stage)], only: wanted)[0]
  }

  /// Random values for the inputs, by their names.
  func inputs(of stage: Stage) -> [String: HostTensor] {
    var inputs: [String: HostTensor] = [:]
    for (id, origin) in stage.graph.origins.enumerated() {
      guard case .input(let name) = origin else { continue }
      let seed = name.utf8.reduce(UInt64(7)) { $0 &* 31 &+ UInt64($1) }
      inputs[name] = .random(stage.graph.types[id].shape, seed: seed)
    }
    return inputs
  }
}

@Suite("Gradients of a noise network") struct NetworkGradientTests {
  static let configurations = ["sd15", "sd21", "sdxl", "pruned"]

  @Test(
    "are the same bits with every block kept, some or none, and computing again costs less than a forward pass",
    arguments: configurations, [(nil, .f32), (2, .f32), (nil, .f16)] as [(Int?, ActivationPrecision)])
  func recomputing(configuration: String, told: (rank: Int?, precision: ActivationPrecision)) throws {
    let subject = try Subject(configuration, rank: told.rank, told.precision)
    let saving = try subject.stage()
    let cost = try #require(saving.gradient)
    #expect(cost.recomputedBlocks == 0 && cost.recomputedMultiplyAdds == 0 && cost.blocks > 3)
    let expected = try subject.run(saving)
    #expect(expected.count == 3 + saving.graph.parameters.count)
    let forward = saving.graph.multiplyAdds(for: [saving.plan.outputs["out"]!])

    let roomy = saving.plan.peakBytes
    var recomputed: Set<Int> = []
    for budget in [cost.leanest, (3 * cost.leanest + roomy) / 4, (cost.leanest + roomy) / 2, roomy - 1000] {
      let stage = try subject.stage(budget: budget)
      let cost = try #require(stage.gradient)
      #expect(stage.plan.peakBytes <= budget && cost.recomputedMultiplyAdds <= forward)
      #expect((cost.recomputedMultiplyAdds > 0) == (cost.recomputedBlocks > 0))
      recomputed.insert(cost.recomputedBlocks)
      #expect(try subject.run(stage) == expected)
    }
    #expect(recomputed.max()! > 0 && recomputed.count > 1)
    #expect(throws: RequestError.self) { try subject.stage(budget: cost.leanest - 64) }
  }

  @Test(
    "of what blocks hand on in halves are those of floats, but for its rounding, and take less room",
    arguments: configurations)
  func halves(configuration: String) throws {
    let (floats, halves) = (try Subject(configuration), try Subject(configuration, .f16))
    let (exact, rounded) = (try floats.stage(), try halves.stage())
    let (wanted, got) = (try floats.run(exact), try halves.run(rounded))
    // About fifty roundings to 11 bits, one behind the other, each of 2⁻¹² or less. Of a gradient they move the point too:
    // norms and attentions of these small networks make up to sixteen times as much of it.
    let distances = wanted.map { ($0, relativeDistance(got[$0]!, $1)) }
    for (name, distance) in distances {
      #expect(distance > 0 && distance < (name == "out" ? 50 : 20 * 50) * 0x1p-12, "\(name)")
    }
    #expect(rounded.gradient!.leanestArena < exact.gradient!.leanestArena)
  }

  @Test("by the context need nothing before the first cross-attention", arguments: configurations)
  func nothingBefore(configuration: String) throws {
    let stage = try Subject(configuration).stage(keeping: .contextGradient)
    let backward = stage.graph.nodes.last!.block
    var read: Set<String> = []
    for case .run(let node) in stage.plan.steps where stage.graph.nodes[node].block == backward {
      read.formUnion(stage.graph.nodes[node].inputs.compactMap { stage.graph.weight($0)?.name })
    }
    let order = stage.graph.weights.map(\.name)
    let first = try #require(order.firstIndex { $0.contains("attn2.to_k") })
    #expect(read.count > 20 && read.isDisjoint(with: order[..<first]))
    #expect(read.contains(order[first]))
  }

  @Test("cost a prediction nothing: neither time nor reading, and its bits are those of floats alone")
  func prediction() throws {
    let subject = try Subject("sd15")
    let least = try subject.stage().gradient!.leanest
    let (differentiable, plain) = (
      try subject.stage(budget: least), try subject.stage(budget: least, keeping: .floats)
    )
    func predict(_ stage: Stage) throws -> (out: HostTensor, nodes: Int, bytes: Int) {
      let executor = try subject.executor(stage)
      var nodes = 0
      executor.onNode = { _, _ in nodes += 1 }
      let inputs = subject.inputs(of: stage).filter { $0.key != "seed" }
      return (try executor.run([inputs], only: ["out"])[0]["out"]!, nodes, executor.streamedBytes)
    }
    let (with, without) = (try predict(differentiable), try predict(plain))
    #expect(with.out == without.out && with.nodes == without.nodes)
    // The other has no backward pass to keep anything for, so it keeps more weights.
    let weights = differentiable.graph.weights.reduce(0) { sum, weight in
      sum + weight.type(storedAs: differentiable.weights[weight].format.element).byteCount
    }
    #expect(with.bytes <= weights && without.bytes < with.bytes)
  }

  @Test("of int8 weights are the same bits streamed and resident, with side branches that are trained")
  func int8() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "gradient-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let url = folder.appending(path: "int8.safetensors")
    _ = try Model(folder: package.appending(path: "Weights/embedded")).quantize(
      to: url, QuantizationRequest(precision: .int8), threads: 2)
    let subject = try Subject(Model(at: url), rank: 4)
    let resident = try subject.stage()
    let streamed = try subject.stage(budget: resident.gradient!.leanest)
    #expect(streamed.plan.residentBytes == 0 && streamed.gradient!.recomputedBlocks > 0)
    #expect(try subject.run(streamed) == subject.run(resident))
  }

  @Test("come with the loss, and are counted") func loss() async throws {
    let subject = try Subject("sd15", rank: 2)
    let network = try Editor(model: subject.model, threads: 2).noiseNetwork(
      width: 64, height: 64, keeping: [.contextGradient, .parameterGradients])
    let layers: Int = 16 * 2 * 4  // blocks, attentions of a block, projections of an attention
    #expect(network.parameters.count == 2 * layers)
    try await network.update(
      Dictionary(
        uniqueKeysWithValues: network.parameters.map { ($0.name, .random($0.shape, seed: 5, scale: 0.1)) }))
    var query = NoiseQuery(
      Latent(.random([8, 8, 4], seed: 1)), timestep: 301, Condition(context: .random([77, 32], seed: 2)))
    let base = Latent(.random([8, 8, 4], seed: 3))
    let loss = SquaredLoss(scale: -0.75, base: base, weight: 0.5)
    let byContext = try await network.contextGradient(query, of: loss)
    let byMatrices = try await network.gradients(query, of: loss)

    let out = try await network.predict([query])[0].noise  // ε is what this network predicts
    let expected =
      0.5
      * zip(out.values, base.values).reduce(0) { sum, pair in
        let residual = -0.75 * Double(pair.0) + Double(pair.1)
        return sum + residual * residual
      }
    #expect(abs(byContext.loss - expected) <= 1e-6 * expected && byMatrices.loss == byContext.loss)
    #expect(byContext.gradient.shape == [77, 32] && byContext.gradient.values.contains { $0 != 0 })
    #expect(Set(byMatrices.gradients.keys) == Set(network.parameters.map(\.name)))
    for (name, shape) in network.parameters { #expect(byMatrices.gradients[name]?.shape == shape) }
    let work = await network.work
    #expect(work.evaluations == 3 && work.gradients == 2)

    // Weights that are sound, and a loss beyond Float: what to make of it is the method's to say.
    query.adapterScale = 1
    let huge = SquaredLoss(scale: 1, base: 1e30 * base, weight: 1)
    let overflown = try await network.contextGradient(query, of: huge)
    #expect(!overflown.loss.isFinite)
  }
}

/// ‖a − b‖/‖b‖
private func relativeDistance(_ a: HostTensor, _ b: HostTensor) -> Double {
  let (difference, size) = zip(a.values, b.values).reduce(into: (0.0, 0.0)) { sums, pair in
    sums.0 += Double(pair.0 - pair.1) * Double(pair.0 - pair.1)
    sums.1 += Double(pair.1) * Double(pair.1)
  }
  return (difference / size).squareRoot()
}
