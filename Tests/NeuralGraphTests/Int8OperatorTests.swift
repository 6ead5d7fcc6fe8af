import Kernels
import NeuralGraph
import Tensors
import TestSupport
import Testing

/// Layers whose weight the checkpoint stores as bytes. Wanted values come from the dequantized weight and the
/// dequantized rows of the definition, in double.
@Suite("int8 operators") struct Int8OperatorTests {
  struct Layer: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var input: [Int]
    var build: @Sendable (Scope, Value) throws -> Value
  }

  static let layers = [
    Layer(testDescription: "linear", input: [5, 37]) { g, x in try g["l"].linear(x, to: 19) },
    Layer(testDescription: "linear without bias", input: [3, 4, 8]) { g, x in
      try g["l"].linear(x, to: 33, bias: false)
    },
    Layer(testDescription: "convolution 3×3", input: [6, 5, 7]) { g, x in
      try g["l"].conv(x, to: 18, kernel: 3)
    },
    Layer(testDescription: "convolution 3×3, stride 2", input: [7, 6, 20]) { g, x in
      try g["l"].conv(x, to: 5, kernel: 3, stride: 2)
    },
    Layer(testDescription: "convolution 1×1", input: [4, 4, 9]) { g, x in
      try g["l"].conv(x, to: 16, kernel: 1)
    },
  ]

  @Test(
    "give what the dequantized weight gives for the dequantized rows", arguments: layers, KernelSet.runnable)
  func forward(layer: Layer, set: KernelSet) throws {
    let pool = ThreadPool(threads: 2, kernels: set)
    let network = try ByteNetwork(layer.input, layer.build)
    let x = HostTensor.random(layer.input, seed: 1)
    let y = network.run(["x": x], pool)
    let wanted = network.twin.run(["x": dequantizedRows(x)], ThreadPool(threads: 1))
    // The same real numbers: integers are exact there, and a few products, scales and sums of length ≤ 180 round.
    let scale = wanted.values.map(abs).max()!
    #expect(zip(y.values, wanted.values).allSatisfy { abs($0 - $1) <= 200 * halfUlp * 20 * scale })
    #expect(scale > 0.1)
    #expect(y == network.run(["x": x], ThreadPool(threads: 1, kernels: .named("scalar")!)))
  }

  @Test("give the gradient of the dequantized weight, to the bit", arguments: layers, KernelSet.runnable)
  func gradient(layer: Layer, set: KernelSet) throws {
    let pool = ThreadPool(threads: 2, kernels: set)
    let network = try ByteNetwork(layer.input, gradient: true, layer.build)
    let inputs = [
      "x": HostTensor.random(layer.input, seed: 1), "dy": .random(network.seedShape, seed: 2),
    ]
    let dx = network.run(inputs, pool)
    #expect(dx.shape == layer.input && dx.values.contains { $0 != 0 })
    #expect(dx == network.twin.run(inputs, pool))
  }

  @Test("refuse the gradient of what is quantized, by name")
  func refuses() throws {
    let builder = GraphBuilder { $0 == "l.weight" ? WeightFormat(.s8) : WeightFormat(.f32) }
    let x = builder.root.input("x", TensorType([2, 4]))
    let y = try builder.root["l"].linear(x, to: 3)
    let w = builder.root["l"].weight("weight.scale", [3], .vector)
    #expect(throws: GraphError.notDifferentiable(op: "Int8Linear", input: "weight, scales or bias")) {
      _ = try builder.root.gradient(of: y, seed: y, wrt: [w], recompute: false)
    }
  }

  @Test("ask for panels and scales under the names of the checkpoint")
  func names() throws {
    let weights = try ByteNetwork([3, 3, 4]) { g, x in
      try g["b"].conv(g["a"].conv(x, to: 8, kernel: 3), to: 4, kernel: 1)
    }.graph.weights
    #expect(
      weights.map(\.name) == [
        "a.weight", "a.weight.scale", "a.bias", "b.weight", "b.weight.scale", "b.bias",
      ])
    #expect(weights.map(\.role) == [.convolution, .vector, .vector, .convolution, .vector, .vector])
    #expect(weights[1].shape == [8])
  }

  /// s·round(x/s) with s = max|x|/127 over every row.
  private func dequantizedRows(_ x: HostTensor) -> HostTensor {
    var y = x
    let k = x.shape.last!
    for row in stride(from: 0, to: x.count, by: k) {
      let size = x.values[row..<row + k].map(abs).max()!
      for i in row..<row + k {
        y.values[i] = (x.values[i] * (127 / size)).rounded(.toNearestOrEven) * (size / 127)
      }
    }
    return y
  }
}
