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
    var rotation: Int?
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
    Layer(testDescription: "linear, rotated by 16", input: [5, 48], rotation: 16) { g, x in
      try g["l"].linear(x, to: 19)
    },
    Layer(testDescription: "convolution, rotated by 16", input: [4, 5, 48], rotation: 16) { g, x in
      try g["l"].conv(x, to: 18, kernel: 3)
    },
    Layer(testDescription: "linear, rotated by 64", input: [5, 128], rotation: 64) { g, x in
      try g["l"].linear(x, to: 19)
    },
    Layer(testDescription: "linear, rotated by 256", input: [40, 256], rotation: 256) { g, x in
      try g["l"].linear(x, to: 7, bias: false)
    },
    Layer(testDescription: "convolution, rotated by 64", input: [4, 5, 64], rotation: 64) { g, x in
      try g["l"].conv(x, to: 18, kernel: 3)
    },
  ]

  @Test(
    "give what the dequantized weight gives for the dequantized rows", arguments: layers, KernelSet.runnable)
  func forward(layer: Layer, set: KernelSet) throws {
    let pool = ThreadPool.of(2, kernels: set)
    let network = try ByteNetwork(layer.input, rotation: layer.rotation, layer.build)
    let x = HostTensor.random(layer.input, seed: 1)
    let y = network.run(["x": x], pool)
    let wanted = network.twin.run(["x": dequantizedRows(rotated(x, layer))], ThreadPool.of(1))
    // The same real numbers: integers are exact there; scales, products and the float twin's sums of up to 576
    // values below 20 times the largest result round. Where rotated values differ by a rounding, one of them
    // may fall to the next step: 1/127 of a value beside a weight, of 48 to 576 that make up a result.
    let scale = wanted.values.map(abs).max()!
    let step: Float = layer.rotation == nil ? 0 : scale / 127
    #expect(zip(y.values, wanted.values).allSatisfy { abs($0 - $1) <= 600 * halfUlp * 20 * scale + step })
    #expect(scale > 0.1)
    #expect(y == network.run(["x": x], ThreadPool.of(1, kernels: .named("scalar")!)))
  }

  @Test("give the gradient of the dequantized weight, to the bit", arguments: layers, KernelSet.runnable)
  func gradient(layer: Layer, set: KernelSet) throws {
    let pool = ThreadPool.of(2, kernels: set)
    let network = try ByteNetwork(layer.input, gradient: true, rotation: layer.rotation, layer.build)
    let inputs = [
      "x": HostTensor.random(layer.input, seed: 1), "dy": .random(network.seedShape, seed: 2),
    ]
    let dx = network.run(inputs, pool)
    #expect(dx.shape == layer.input && dx.values.contains { $0 != 0 })
    let wanted = network.twin.run(inputs, pool)
    guard layer.rotation != nil else { return #expect(dx == wanted) }
    // Its own inverse: the rotation takes the gradient of H·x back to that of x. Eight stages of sums round.
    let back = rotated(wanted, layer)
    let scale = wanted.values.map(abs).max()!
    #expect(zip(dx.values, back.values).allSatisfy { abs($0 - $1) <= 16 * 16 * halfUlp * scale })
  }

  @Test(
    "give large pictures the bits of small ones: bands meet without a seam",
    arguments: [(kernel: 3, stride: 1), (kernel: 3, stride: 2), (kernel: 1, stride: 1)])
  func bands(kernel: Int, stride: Int) throws {
    // Four megabytes are 256 of these lines, so the last four are a band of their own.
    let (height, width, channels, part) = (260, 256, 64, 20)
    let pool = ThreadPool.of(2)
    func run(_ x: HostTensor) throws -> HostTensor {
      try ByteNetwork(x.shape) { try $0["l"].conv($1, to: 16, kernel: kernel, stride: stride) }
        .run(["x": x], pool)
    }
    let x = HostTensor.random([height, width, channels], seed: 3)
    let y = try run(x)
    for first in [0, height - part] {
      let lines = HostTensor(
        shape: [part, width, channels],
        values: Array(x.values[first * width * channels..<(first + part) * width * channels]))
      let small = try run(lines)
      // The first and last line of a part see other neighbours than in the whole.
      let line = small.shape[1] * small.shape[2]
      for i in 1..<small.shape[0] - 1 {
        let from = (first / stride + i) * line
        let isEqual = y.values[from..<from + line].elementsEqual(small.values[i * line..<(i + 1) * line])
        #expect(isEqual, "line \(i) of the part from \(first)")
      }
    }
  }

  @Test("refuse a rotation that the channels do not divide into", arguments: [32, 64, 128, 256])
  func refusesRotation(width: Int) {
    #expect(throws: GraphError.self) {
      _ = try ByteNetwork([3, 96], rotation: width) { try $0.linear($1, to: 4) }
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

  private func rotated(_ x: HostTensor, _ layer: Layer) -> HostTensor {
    guard let width = layer.rotation else { return x }
    return HostTensor(shape: x.shape, values: walshHadamard(x.values, width: width))
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
