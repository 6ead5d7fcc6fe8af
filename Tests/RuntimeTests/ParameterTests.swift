import Kernels
import NeuralGraph
import Runtime
import Tensors
import TestSupport
import Testing

/// y = W·silu(x) + b with a trained W and b, and layers behind it whose weights are the checkpoint's.
@Suite("Trained values") struct ParameterTests {
  private let graph: Graph
  private let output: Value
  private let file: TemporaryCheckpoint
  private let values = [
    "a.weight": HostTensor.random([16, 32], seed: 1), "a.bias": HostTensor.random([16], seed: 2),
  ]
  /// Of layers that are not trained.
  private static let fixed = Dictionary(
    uniqueKeysWithValues: (0..<6).flatMap { i in
      [
        ("b.\(i).weight", HostTensor.random([16, 16], seed: UInt64(6 + i))),
        ("b.\(i).bias", HostTensor.random([16], seed: UInt64(16 + i))),
      ]
    })
  private let queries = (3...5).map { ["x": HostTensor.random([1, 32], seed: $0)] }

  init() throws {
    (graph, output) = try Self.network(trained: .named(["a.weight", "a.bias"]))
    file = try TemporaryCheckpoint(Self.fixed)
  }

  private static func network(trained: TrainedTensors) throws -> (Graph, Value) {
    let builder = GraphBuilder(trained: trained)
    let g = builder.root
    let x = g.input("x", TensorType([1, 32]))
    var h = try g["a"].linear(g.silu(x), to: 16)
    for i in 0..<6 { h = try g["b"][i].linear(h, to: 16) }
    return (builder.graph, h)
  }

  private func executor(
    _ graph: Graph, _ output: Value, _ file: TemporaryCheckpoint, budget: Int? = nil, lanes: Int = 1
  ) throws -> Executor {
    let plan = try Planner(threads: 1, budget: budget, lanes: lanes).plan(graph, keep: ["y": output])
    let executor = try Executor(
      graph, plan, weights: NetworkWeights(graph.weights, in: file.checkpoint), pool: ThreadPool.of(1))
    executor.poison()
    return executor
  }

  @Test("lie in a region of their own, which the plan counts once for all lanes") func counted() throws {
    let roomy = try executor(graph, output, file).plan
    #expect(roomy.parameterBytes == 4 * 16 * 32 + 64)
    #expect(Set(roomy.parameterOffset.keys) == Set(graph.parameters.map(\.value)))
    #expect(roomy.valueOffset.keys.allSatisfy { graph.parameter($0) == nil })
    // Streamed, with room for two lanes.
    let window = roomy.residentBytes / 6
    let budget = roomy.peakBytes - roomy.residentBytes + window + roomy.arenaBytes
    let shared = try executor(graph, output, file, budget: budget, lanes: 2).plan
    #expect(shared.lanes == 2 && shared.parameterBytes == roomy.parameterBytes)
    #expect(shared.peakBytes <= budget)
    let without = try Self.network(trained: .none)
    let plan = try Planner(threads: 1).plan(without.0, keep: ["y": without.1])
    #expect(plan.parameterBytes == 0)
  }

  @Test("give what the same weights give, in every lane") func sameAsWeights() throws {
    let plain = try Self.network(trained: .none)
    let all = try TemporaryCheckpoint(values.merging(Self.fixed) { own, _ in own })
    let expected = try executor(plain.0, plain.1, all).run(queries)
    let roomy = try executor(graph, output, file).plan
    for (budget, lanes) in [(nil, 1), (roomy.peakBytes - roomy.residentBytes / 3, 2)] {
      let trained = try executor(graph, output, file, budget: budget, lanes: lanes)
      trained.update(values)
      #expect(try trained.run(queries) == expected)
    }
  }

  @Test("change between runs, those that are named and no others") func update() throws {
    let trained = try executor(graph, output, file)
    trained.update(values)
    let first = try trained.run(queries)
    let bias = HostTensor.random([16], seed: 8)
    trained.update(["a.bias": bias])
    let second = try trained.run(queries)
    #expect(second != first)
    let other = try executor(graph, output, file)
    other.update(["a.weight": values["a.weight"]!, "a.bias": bias])
    #expect(try other.run(queries) == second)
  }
}
