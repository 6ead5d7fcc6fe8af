import Kernels
import NeuralGraph
import Tensors
import TestSupport
import Testing

/// Layers that compute what lies around them give the bits of the operators by themselves, in bands or whole.
@Suite("Fused layers") struct LayerFusionTests {
  struct Pair: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var input: [Int]
    var rotation: Int?
    var fused: @Sendable (Scope, Value) throws -> Value
    var plain: @Sendable (Scope, Value) throws -> Value
  }

  static let pairs = [
    residual("3×3 in one band", [6, 5, 24]),
    residual("3×3, rotated", [5, 6, 64], rotation: 16),
    // More than 2^20 values: two bands, and lines that both read.
    residual("3×3 in two bands", [150, 120, 64], to: 4),
    stride("3×3, stride 2 in two bands", [151, 120, 64]),
    enlarged("3×3 of an enlarged picture", [5, 4, 12]),
    enlarged("3×3 of an enlarged picture in two bands", [150, 119, 64]),
    Pair(testDescription: "1×1 behind a norm", input: [9, 8, 24]) { g, x in
      try g["l"].conv(g["n"].normalized(x, groups: 4), to: 40, kernel: 1)
    } plain: { g, x in
      try g["l"].conv(g["n"].groupNorm(x, groups: 4), to: 40, kernel: 1)
    },
    Pair(testDescription: "linear behind group norm, added to it", input: [9, 8, 24]) { g, x in
      try g["l"].linear(g["n"].normalized(x, groups: 4), to: 24, residual: x)
    } plain: { g, x in
      try g.add(x, g["l"].linear(g["n"].groupNorm(x, groups: 4), to: 24))
    },
    projections("projections", [7, 6, 40]),
    projections("projections, rotated", [3, 5, 64], rotation: 64),
    projections("projections in two bands", [18_000, 64]),
    feedForward("feed-forward in one chunk", [5, 40]),
    feedForward("feed-forward, rotated", [30, 64], rotation: 16),
    feedForward("feed-forward in chunks", [2500, 64]),
  ]

  private static func residual(
    _ name: String, _ x: [Int], to outputs: Int = 20, rotation: Int? = nil
  ) -> Pair {
    Pair(testDescription: name, input: x, rotation: rotation) { g, x in
      let skip = try g["skip"].conv(x, to: outputs, kernel: 1)
      let time = try vector(x, outputs, g)
      return try g["l"].conv(
        g["n"].normalized(x, groups: 4).activated(), to: outputs, kernel: 3, adding: time, residual: skip)
    } plain: { g, x in
      let skip = try g["skip"].conv(x, to: outputs, kernel: 1)
      let time = try vector(x, outputs, g)
      let h = try g["l"].conv(g.silu(g["n"].groupNorm(x, groups: 4)), to: outputs, kernel: 3)
      return try g.add(skip, g.addChannels(h, time))
    }
  }

  /// `[1, outputs]`
  private static func vector(_ x: Value, _ outputs: Int, _ g: Scope) throws -> Value {
    let row = g.input("dy", TensorType([1, g.channels(x)]))
    return try g["time"].linear(row, to: outputs)
  }

  private static func stride(_ name: String, _ x: [Int]) -> Pair {
    let half = ConvolutionGeometry(stride: 2, padding: 1)
    return Pair(testDescription: name, input: x) { g, x in
      try g["l"].conv(g["n"].normalized(x, groups: 4).activated(), to: 4, kernel: 3, half)
    } plain: { g, x in
      try g["l"].conv(g.silu(g["n"].groupNorm(x, groups: 4)), to: 4, kernel: 3, half)
    }
  }

  private static func enlarged(_ name: String, _ x: [Int]) -> Pair {
    let (height, width) = (2 * x[0], 2 * x[1])
    return Pair(testDescription: name, input: x) { g, x in
      try g["l"].conv(g.enlarged(x, height: height, width: width), to: 4, kernel: 3)
    } plain: { g, x in
      try g["l"].conv(g.upsampleNearest(x, height: height, width: width), to: 4, kernel: 3)
    }
  }

  private static func projections(_ name: String, _ x: [Int], rotation: Int? = nil) -> Pair {
    let width = x.last!
    return Pair(testDescription: name, input: x, rotation: rotation) { g, x in
      let rows = try g["n"].projections(of: x, [g["a"], g["b"], g["c"]], to: width)
      return try g.add(rows[0], g.add(rows[1], rows[2]))
    } plain: { g, x in
      let n = try g["n"].layerNorm(x)
      let rows = try ["a", "b", "c"].map { try g[$0].linear(n, to: width, bias: false) }
      return try g.add(rows[0], g.add(rows[1], rows[2]))
    }
  }

  private static func feedForward(_ name: String, _ x: [Int], rotation: Int? = nil) -> Pair {
    let width = 4 * x.last!
    return Pair(testDescription: name, input: x, rotation: rotation) { g, x in
      try g["ff"].feedForward(x, norm: g["n"], width: width)
    } plain: { g, x in
      let h = try g.geglu(g["ff"]["net"][0]["proj"].linear(g["n"].layerNorm(x), to: 2 * width))
      return try g.add(x, g["ff"]["net"][2].linear(h, to: g.channels(x)))
    }
  }

  @Test("give the bits of the operators by themselves", arguments: pairs, KernelSet.runnable)
  func bits(pair: Pair, set: KernelSet) throws {
    let fused = try ByteNetwork(pair.input, rotation: pair.rotation, pair.fused)
    let plain = try ByteNetwork(pair.input, rotation: pair.rotation, pair.plain)
    #expect(fused.graph.nodes.count <= plain.graph.nodes.count)
    let inputs = [
      "x": HostTensor.random(pair.input, seed: 1), "dy": HostTensor.random([1, pair.input.last!], seed: 2),
    ]
    let wanted = plain.run(inputs, .of(1, kernels: set))
    for threads in 1...3 {
      let y = fused.run(inputs, .of(threads, kernels: set))
      #expect(y.shape == wanted.shape && y.values == wanted.values, "bytes, \(threads) threads")
    }
    let floats = plain.twin.run(inputs, .of(1, kernels: set))
    for threads in [1, 2] {
      #expect(fused.twin.run(inputs, .of(threads, kernels: set)).values == floats.values, "floats")
    }
  }

  @Test(
    "have the gradient of the operators by themselves, in chunks too, and need no more than x and dy for it")
  func gradient() throws {
    // The inner layer's 2752 values of a row make chunks of 192 rows.
    let (rows, c) = (430, 344)
    func network(_ build: @Sendable (Scope, Value) throws -> Value) throws -> (HostTensor, arena: Int) {
      var network = try Network(inputs: ["x": [rows, c]]) { g, x in try build(g, x[0]) }
      let wanted = try network.differentiate(wrt: ["x"], recompute: true)
      return (try network.run(wanted)["x"]!, try network.plan(wanted).arenaBytes)
    }
    let pair = Self.feedForward("", [rows, c])
    let (fused, plain) = (try network(pair.fused), try network(pair.plain))
    #expect(fused.0.values == plain.0.values)
    #expect(fused.arena == 2 * rows * c * 4 && plain.arena > 5 * fused.arena)
  }

  @Test("keep no picture in between: what they need beside x and y does not grow with the picture")
  func scratch() throws {
    func bytes(_ size: Int) throws -> Int {
      let network = try ByteNetwork([size, size, 128]) { g, x in
        try g["l"].conv(g["n"].normalized(x, groups: 32).activated(), to: 128, kernel: 3, residual: x)
      }
      return network.graph.nodes.map { node in
        node.op.scratchBytes(node.inputs.map(network.graph.type), threads: 2)
      }.max()!
    }
    let (small, large) = (try bytes(256), try bytes(1024))
    // A band has about 2^20 values, and at least a few lines of the picture.
    #expect(Double(large) < 1.3 * Double(small))
    #expect(small < 3 << 20)
  }
}
