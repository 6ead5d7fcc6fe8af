import Foundation
import Kernels
import NeuralGraph
import Runtime
import Tensors
import TestSupport

/// A small network under test: its graph, its inputs and weights with reproducible random values, and the loss
/// ⟨output, seed⟩ whose gradients the tests look at.
struct Network {
  let builder: GraphBuilder
  var inputs: [String: HostTensor] = [:]
  private(set) var output: Value
  private(set) var values: [String: Value] = [:]
  let pool = ThreadPool.of(2)

  /// - Parameter build: emits the network from its inputs, in the order given.
  init(
    inputs shapes: KeyValuePairs<String, [Int]>, adapters: [String: [Adapter]] = [:],
    _ build: (Scope, [Value]) throws -> Value
  ) throws {
    builder = GraphBuilder(adapters: adapters)
    let root = builder.root
    inputs[Adapter.scaleName] = HostTensor(shape: [1], values: [0.75])
    var order: [Value] = []
    for (index, (name, shape)) in shapes.enumerated() {
      let value = root.input(name, TensorType(shape))
      inputs[name] = .random(shape, seed: UInt64(index + 1))
      values[name] = value
      order.append(value)
    }
    output = try build(root, order)
  }

  /// Emits the gradients of ⟨output, seed⟩ and names them after the inputs.
  mutating func differentiate(wrt targets: [String], recompute: Bool) throws -> [String: Value] {
    let seedShape = builder.graph.type(output).shape
    inputs["seed"] = .random(seedShape, seed: 99)
    builder.beginBlock()
    let seed = builder.root.input("seed", TensorType(seedShape))
    let found = try builder.root.gradient(
      of: output, seed: seed, wrt: targets.map { values[$0]! }, recomputing: { _ in recompute })
    return Dictionary(
      uniqueKeysWithValues: zip(targets, found).compactMap { name, value in
        value.map { (name, $0) }
      })
  }

  func plan(_ keep: [String: Value]) throws -> Plan {
    try Planner(threads: pool.threads).plan(builder.graph, keep: keep)
  }

  private func executor(_ plan: Plan, _ weights: TemporaryCheckpoint) throws -> Executor {
    try Executor(
      builder.graph, plan, weights: NetworkWeights(builder.graph.weights, in: weights.checkpoint), pool: pool)
  }

  /// Runs on poisoned memory.
  func run(_ keep: [String: Value], inputs: [String: HostTensor]? = nil) throws -> [String: HostTensor] {
    let folder = try TemporaryCheckpoint(randomWeights(of: builder.graph))
    let executor = try executor(plan(keep), folder)
    executor.poison()
    return try executor.run([inputs ?? self.inputs])[0]
  }

  /// (loss(x + h·e) − loss(x − h·e))/2h for every element e of one input.
  func centralDifferences(of name: String, step: Float = 1e-2) throws -> [Float] {
    let folder = try TemporaryCheckpoint(randomWeights(of: builder.graph))
    let executor = try executor(plan(["y": output]), folder)
    let seed = inputs["seed"]!
    func loss(_ index: Int, _ shift: Float) throws -> Double {
      var moved = inputs
      moved[name]!.values[index] += shift
      let y = try executor.run([moved])[0]["y"]!
      return zip(y.values, seed.values).reduce(0) { $0 + Double($1.0) * Double($1.1) }
    }
    return try inputs[name]!.values.indices.map {
      Float((try loss($0, step) - loss($0, -step)) / (2 * Double(step)))
    }
  }
}

/// Weights that keep activations near unit size: norms around one, matrices scaled by their fan-in.
func randomWeights(of graph: Graph) -> [String: HostTensor] {
  var tensors: [String: HostTensor] = [:]
  for (index, weight) in graph.weights.enumerated() {
    var tensor = HostTensor.random(weight.shape, seed: UInt64(1000 + index))
    let fanIn = Float(weight.shape.dropFirst().reduce(1, *))
    let isScale = weight.role == .vector && weight.name.hasSuffix("weight")
    tensor.values = tensor.values.map {
      weight.role == .vector ? (isScale ? 1 + 0.2 * $0 : 0.2 * $0) : $0 / fanIn.squareRoot()
    }
    tensors[weight.name] = tensor
  }
  return tensors
}
