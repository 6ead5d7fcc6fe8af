import Kernels
import NeuralGraph
import Runtime
import Tensors
import TestSupport
import Testing

/// y = γ·x + β + w·x over rows of C channels; its gradient reads w before γ.
private struct Affine: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] { [inputs[0]] }
  func run(_ io: borrowing OpIO) {
    let (x, gamma, beta, w) = (io.floats(0), io.floats(1), io.floats(2), io.floats(3))
    io.write { i, c in gamma[c] * x[i] + beta[c] + w[c] * x[i] }
  }
  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    let dx = try g.emit(AffineDX(), [dOut[0]!, node.inputs[3], node.inputs[1]])[0]
    return [dx, nil, nil, nil]
  }
}

/// dx = w·dy + γ·dy
private struct AffineDX: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] { [inputs[0]] }
  func run(_ io: borrowing OpIO) {
    let (dy, w, gamma) = (io.floats(0), io.floats(1), io.floats(2))
    io.write { i, c in w[c] * dy[i] + gamma[c] * dy[i] }
  }
}

extension OpIO {
  fileprivate borrowing func floats(_ input: Int) -> UnsafeMutablePointer<Float> {
    inputs[input].address.assumingMemoryBound(to: Float.self)
  }

  /// Fills the output; the value's index and its channel are given.
  fileprivate borrowing func write(_ value: (Int, Int) -> Float) {
    let (y, channels) = (outputs[0].address.assumingMemoryBound(to: Float.self), outputs[0].type.shape.last!)
    for i in 0..<outputs[0].type.count { y[i] = value(i, i % channels) }
  }
}

@Suite("Window of streamed weights") struct WindowTests {
  private static let channels = 16
  private let graph: Graph
  private let keep: [String: Value]
  private let weights: NetworkWeights
  private let file: TemporaryCheckpoint
  private let query = [
    "x": HostTensor.random([3, channels], seed: 8), "dy": .random([3, channels], seed: 9),
  ]

  /// Three layers of one network, the outer two with the same weights, and its gradient.
  init() throws {
    let builder = GraphBuilder()
    let g = builder.root
    let x = g.input("x", TensorType([3, Self.channels]))
    var y = x
    for layer in ["a", "b", "a"] {
      let parameters = ["gamma", "beta", "w"].map { g[layer].weight($0, [Self.channels], .vector) }
      y = try g.emit(Affine(), [y] + parameters)[0]
    }
    let dy = g.input("dy", TensorType([3, Self.channels]))
    let dx = try #require(try g.gradient(of: y, seed: dy, wrt: [x])[0])
    (graph, keep) = (builder.graph, ["y": y, "dx": dx])
    file = try TemporaryCheckpoint(
      Dictionary(
        uniqueKeysWithValues: graph.weights.enumerated().map {
          ($1.name, HostTensor.random($1.shape, seed: UInt64($0)))
        }))
    weights = try NetworkWeights(graph.weights, in: file.checkpoint)
  }

  private func run(budget: Int?) throws -> (Plan, [String: HostTensor]) {
    let plan = try Planner(threads: 1, budget: budget).plan(graph, keep: keep)
    let executor = try Executor(graph, plan, weights: weights, pool: ThreadPool(threads: 1))
    executor.poison()
    return (plan, try executor.run([query])[0])
  }

  /// The least that will do: nothing stays, nothing is read ahead.
  private func floor() throws -> Int {
    let (roomy, window) = (try run(budget: nil).0, 3 * 4 * Self.channels)
    return roomy.peakBytes - roomy.residentBytes + window
  }

  @Test("holds each weight where the step that reads it says, forward and in the gradient's other order")
  func sharedWeights() throws {
    let (resident, expected) = try run(budget: nil)
    #expect(resident.windowBytes == 0)
    let (streamed, found) = try run(budget: floor())
    #expect(streamed.residentBytes == 0 && streamed.windowBytes == 3 * 4 * Self.channels)
    #expect(found == expected)
    // The gradient of a chain of diagonal maps is their product.
    let factors = try ["a", "b"].map { layer in
      try zip(file.checkpoint.floats("\(layer).gamma"), file.checkpoint.floats("\(layer).w")).map { $0 + $1 }
    }
    for (i, dx) in found["dx"]!.values.enumerated() {
      let c = i % Self.channels
      let exact = query["dy"]!.values[i] * factors[0][c] * factors[1][c] * factors[0][c]
      #expect(abs(dx - exact) <= 1e-5 * max(abs(exact), 1))
    }
  }

  @Test("holds all streamed weights of a step when it runs, and only until the last that reads them")
  func contents() throws {
    let plan = try run(budget: floor()).0
    var present: Set<Value> = []
    var orders: Set<[Value]> = []
    for step in plan.steps {
      switch step {
      case .fetch(let weights):
        #expect(present.isEmpty, "what was there is dropped first")
        present = Set(weights)
        orders.insert(weights)
      case .run(let node):
        #expect(present.isSuperset(of: graph.nodes[node].inputs.filter { graph.weight($0) != nil }))
      case .drop: present = []
      }
    }
    #expect(present.isEmpty && orders.count > 2, "forward and gradient read in one order")
  }

  @Test("does not fetch what the backward pass finds there where it turns round") func turnaround() throws {
    let plan = try run(budget: floor()).0
    let fetches = plan.steps.reduce(0) { if case .fetch(let weights) = $1 { $0 + weights.count } else { $0 } }
    #expect(fetches == 3 * 3 + 2 * 2, "the last layer's gradient reads two of the layer's three weights")
  }

  @Test("fetches nothing for nodes that a run leaves out") func partialRun() throws {
    let plan = try Planner(threads: 1, budget: floor()).plan(graph, keep: keep)
    let executor = try Executor(graph, plan, weights: weights, pool: ThreadPool(threads: 1))
    executor.poison()
    let all = try executor.run([query])[0]
    let layer = 3 * 4 * Self.channels
    #expect(executor.streamedBytes == 3 * layer + 2 * layer * 2 / 3)
    var told: [String: HostTensor] = [:]
    told["x"] = query["x"]
    let before = executor.streamedBytes
    #expect(try executor.run([told], only: ["y"]) == [["y": all["y"]!]], "nor does it ask for their inputs")
    #expect(executor.streamedBytes - before == 3 * layer)
  }
}
