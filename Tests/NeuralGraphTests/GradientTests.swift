import Kernels
import NeuralGraph
import Runtime
import Tensors
import Testing

/// A figure made of several operators, with the inputs that it can be differentiated by. Single ones are described in
/// `OperatorCases`.
struct Differentiable: Sendable, CustomTestStringConvertible {
  var name: String
  var inputs: KeyValuePairs<String, [Int]>
  var adapters: [String: [Adapter]] = [:]
  var build: @Sendable (Scope, [Value]) throws -> Value
  var testDescription: String { name }

  static let all: [Differentiable] = [
    .init(
      name: "linear and convolution with two adapters each", inputs: ["x": [5, 6, 7]],
      adapters: ["c": branches, "l": others]
    ) { g, v in try g["l"].linear(g["c"].conv(v[0], to: 5, kernel: 3, stride: 2), to: 4) },
    .init(name: "residual block and attention", inputs: ["x": [4, 4, 8], "context": [5, 6]]) { g, v in
      try blockAndAttention(g, v[0], v[1])
    },
  ]
}

private let branches = [
  Adapter(path: "first", rank: 2, factor: 1.5), Adapter(path: "second", rank: 1, factor: -0.5),
]
private let others = [
  Adapter(path: "third", rank: 1, factor: -1), Adapter(path: "fourth", rank: 3, factor: 0.5),
]

/// The operators of one residual block and one cross-attention, wired as in a UNet, a block of recomputation each.
private func blockAndAttention(_ g: Scope, _ x: Value, _ context: Value) throws -> Value {
  g.builder.beginBlock()
  var h = try g["norm1"].groupNorm(x, groups: 4)
  h = try g["conv1"].conv(g.silu(h), to: 8, kernel: 3)
  h = try g["norm2"].groupNorm(h, groups: 4)
  h = try g.add(x, g["conv2"].conv(g.silu(h), to: 8, kernel: 3))

  g.builder.beginBlock()
  let q = try g["to_q"].linear(h, to: 8, bias: false)
  let k = try g["to_k"].linear(context, to: 8, bias: false)
  let v = try g["to_v"].linear(context, to: 8, bias: false)
  return try g.add(h, g["to_out"].linear(g.attention(q, k, v, heads: 2), to: 8))
}

@Suite("Emitted gradient") struct GradientTests {
  @Test("agrees with central differences", arguments: Differentiable.all)
  func centralDifferences(subject: Differentiable) throws {
    var network = try Network(inputs: subject.inputs, adapters: subject.adapters, subject.build)
    let names = subject.inputs.map(\.key)
    let gradients = try network.differentiate(wrt: names, recompute: false)
    let emitted = try network.run(gradients)

    for name in names {
      let measured = try network.centralDifferences(of: name)
      // The difference quotient in Float with step h: rounding 2⁻²⁴·|loss|·terms/h ≈ 1e-4, truncation h²/6 times a
      // third derivative of order one ≈ 2e-5; both relative to gradients of order one, so 2e-3 of the largest.
      let scale = measured.map(abs).max()!
      let worst = zip(emitted[name]!.values, measured).map { abs($0 - $1) }.max()!
      #expect(worst <= 2e-3 * max(scale, 1), "∂/∂\(name): off by \(worst) of \(scale)")
    }
  }

  @Test("has the same bits whether activations are saved or recomputed")
  func recomputation() throws {
    func gradients(recompute: Bool) throws -> (results: [String: HostTensor], arena: Int) {
      var network = try chain(blocks: 4)
      let wanted = try network.differentiate(wrt: ["x", "context"], recompute: recompute)
      return (try network.run(wanted), try network.plan(wanted).arenaBytes)
    }
    let (saved, recomputed) = (try gradients(recompute: false), try gradients(recompute: true))
    #expect(saved.results == recomputed.results)
    #expect(recomputed.arena < saved.arena)
  }

  @Test("computes nothing off the path to the wanted target")
  func onlyThePath() throws {
    // x passes three blocks before the context enters: those blocks must have no backward nodes.
    var network = try chain(blocks: 3)
    let forward = network.builder.graph.nodes.count
    let gradient = try network.differentiate(wrt: ["context"], recompute: false)
    let plan = try network.plan(gradient)
    let backward = plan.steps.compactMap { step in
      if case .run(let node) = step, node >= forward { node } else { nil }
    }
    let used = Set(
      backward.flatMap { network.builder.graph.nodes[$0].inputs }
        .compactMap { network.builder.graph.weight($0)?.name })
    // Of the chain's weights only the values' and keys' projections, behind the output projection, matter.
    #expect(used == ["attention.to_k.weight", "attention.to_v.weight", "attention.to_out.weight"])
    #expect(backward.count == 5)  // out, dk and dv in one, two projections, their sum
  }

  @Test("of something that does not depend on the target is absent")
  func independent() throws {
    var network = try Network(inputs: ["x": [2, 4], "other": [2, 4]]) { g, v in try g.silu(v[0]) }
    #expect(try network.differentiate(wrt: ["other"], recompute: false).isEmpty)
  }

  @Test("does not pass through what an operator keeps for its backward pass")
  func refusesStatistics() throws {
    let builder = GraphBuilder()
    let g = builder.root
    let (x, q) = (g.input("x", TensorType([2, 3, 4])), g.input("q", TensorType([5, 4])))
    _ = try g["n"].groupNorm(x, groups: 2)
    _ = try g["l"].layerNorm(q)
    _ = try g.attention(q, q, q, heads: 2)
    let refusals = [(x, "GroupNorm", "stats"), (q, "LayerNorm", "stats"), (q, "Attention", "logSum")]
    for (node, (target, op, output)) in zip(builder.graph.nodes, refusals) {
      let kept = node.outputs[1]
      #expect(throws: GraphError.gradientOfStatistic(op: op, output: output)) {
        _ = try g.gradient(of: kept, seed: kept, wrt: [target])
      }
    }
  }

  /// Residual convolutions on x, then a cross-attention on `context`.
  private func chain(blocks: Int) throws -> Network {
    try Network(inputs: ["x": [8, 8, 16], "context": [5, 6]]) { g, v in
      var h = v[0]
      for i in 0..<blocks {
        g.builder.beginBlock()
        let b = g["blocks"][i]
        h = try g.add(h, b["conv"].conv(g.silu(b["norm"].groupNorm(h, groups: 4)), to: 16, kernel: 3))
      }
      g.builder.beginBlock()
      let a = g["attention"]
      let q = try a["to_q"].linear(h, to: 16, bias: false)
      let k = try a["to_k"].linear(v[1], to: 16, bias: false)
      let w = try a["to_v"].linear(v[1], to: 16, bias: false)
      return try g.add(h, a["to_out"].linear(g.attention(q, k, w, heads: 2), to: 16))
    }
  }
}
