import Kernels
import NeuralGraph
import Tensors
import TestSupport
import Testing

/// Convolutions that are computed line by line where they are read give the bits of those that are kept.
@Suite("Convolutions line by line") struct LinePipelineTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var input: [Int]
    var rotation: Int?
    var define: @Sendable (Scope, Value) throws -> Value
  }

  /// Heights that steps of any size do not divide; many values, so that there are several steps.
  static let cases = [
    Case(testDescription: "residual block", input: [37, 230, 64]) { g, x in
      try block(x, to: 64, g["b"])
    },
    Case(testDescription: "residual block with a shortcut", input: [37, 230, 48]) { g, x in
      try block(x, to: 64, g["b"])
    },
    Case(testDescription: "enlarged, then residual blocks", input: [19, 115, 32]) { g, x in
      let size = g.shape(x)
      let up = try g["u"].conv(g.enlarged(x, height: 2 * size[0], width: 2 * size[1]), to: 64, kernel: 3)
      return try block(block(up, to: 64, g["b"]), to: 48, g["c"])
    },
    Case(testDescription: "residual block, then half the size", input: [37, 230, 64]) { g, x in
      try g["d"].conv(
        block(x, to: 64, g["b"]), to: 32, kernel: 3,
        ConvolutionGeometry(stride: 2, top: 0, left: 0, bottom: 1, right: 1))
    },
    Case(testDescription: "rotated", input: [21, 400, 64], rotation: 16) { g, x in
      try block(x, to: 64, g["b"])
    },
    Case(testDescription: "a picture of one line", input: [1, 9, 16]) { g, x in try block(x, to: 16, g["b"])
    },
  ]

  private static func block(_ x: Value, to outputs: Int, _ g: Scope) throws -> Value {
    let h = try g["1"].conv(g["n1"].normalized(x, groups: 4).activated(), to: outputs, kernel: 3)
    let skip = g.channels(x) == outputs ? x : try g["s"].conv(x, to: outputs, kernel: 1)
    let y = try g["2"].conv(
      g["n2"].normalized(h, groups: 4).activated(), to: outputs, kernel: 3, residual: skip)
    return try g.kept(y)
  }

  private static let limits = [
    LineLimits(), LineLimits(inside: 0), LineLimits(inside: 0, between: 0),
    LineLimits(inside: 1 << 20, between: 1 << 20),
  ]

  @Test("give the bits of those that are kept", arguments: cases)
  func bits(test: Case) throws {
    for isByte in [true, false] {
      let whole = try network(test, isByte: isByte)
      let inputs = ["x": HostTensor.random(test.input, seed: 1)]
      let wanted = whole.run(inputs, .of(2))
      for limits in Self.limits {
        let lines = try network(test, isByte: isByte, limits)
        for threads in 1...2 {
          let y = lines.run(inputs, .of(threads))
          #expect(
            y.shape == wanted.shape && y.values == wanted.values,
            "\(limits), \(threads) threads, bytes \(isByte)")
        }
      }
    }
  }

  @Test("in halves give the same bits whatever is kept, close to those of floats", arguments: cases)
  func halves(test: Case) throws {
    let inputs = ["x": HostTensor.random(test.input, seed: 1)]
    let floats = try network(test, isByte: false).run(inputs, .of(2))
    let wanted = try network(test, isByte: false, activations: .f16).run(inputs, .of(2))
    for limits in Self.limits {
      let y = try network(test, isByte: false, limits, activations: .f16).run(inputs, .of(2))
      #expect(y.values == wanted.values, "\(limits)")
    }
    // A half has 11 bits: an error of 2⁻¹²·|x| at most, which a few layers with sums of unit size pass on.
    let largest = floats.values.map(abs).max()!
    let error = zip(floats.values, wanted.values).map { abs($0 - $1) }.max()!
    #expect(error > 0 && error < largest * 0x1p-8)
  }

  @Test("read their input ahead of what they write: it may lie in the result's memory", arguments: cases)
  func overlays(test: Case) throws {
    let inputs = ["x": HostTensor.random(test.input, seed: 1)]
    for activations in ActivationPrecision.allCases {
      let wanted = try network(test, isByte: false, activations: activations).run(inputs, .of(2))
      for limits in Self.limits {
        let lines = try network(test, isByte: false, limits, activations: activations)
        let y = lines.run(inputs, .of(2), nearer: 0)
        #expect(y.values == wanted.values, "\(limits), \(activations)")
        for node in lines.graph.nodes {
          guard let overlay = node.op.overlay, overlay.distance > 0 else { continue }
          let (input, output) = (
            lines.graph.type(node.inputs[overlay.input]), lines.graph.type(node.outputs[0])
          )
          // Both end together at most: no memory but the result's is taken.
          #expect(overlay.distance <= max(0, output.byteCount - input.byteCount), "\(limits)")
          // The distance is the least: a line nearer, and a line is written over before it is read.
          let spoiled = lines.run(inputs, .of(2), nearer: input.byteCount / input.shape[0])
          #expect(spoiled.values != wanted.values, "\(limits), \(activations)")
        }
      }
    }
  }

  @Test("take less memory") func memory() throws {
    let test = Self.cases[0]
    let bytes = Self.limits.prefix(2).map { limits in
      (try? network(test, isByte: false, limits).valueBytes) ?? 0
    }
    // x and the result are there; what lies between them, of their size, is not.
    #expect(bytes[1] < bytes[0] && bytes[1] >= 2 * TensorType(test.input).byteCount)
  }

  private func network(
    _ test: Case, isByte: Bool, _ limits: LineLimits? = nil, activations: ActivationPrecision = .f32
  ) throws -> ByteNetwork {
    let network = try ByteNetwork(
      test.input, rotation: test.rotation, limits: limits, activations: activations, test.define)
    return isByte ? network : network.twin
  }
}
