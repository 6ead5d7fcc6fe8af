import Kernels
import Tensors
import TestSupport
import Testing

/// Floats by an int8 weight, forward and back, are floats by panels of floats that hold scale·q, to the bit.
@Suite("int8 gradients") struct Int8GradientTests {
  @Test("dx of a linear layer has the bits of the dequantized weight", arguments: KernelSet.runnable)
  func linear(set: KernelSet) {
    let pool = ThreadPool.of(2, kernels: set)
    let sizes = [(1, 1, 1), (3, 5, 7), (7, 16, 16), (5, 17, 33), (9, 64, 300), (20, 31, 530)]
    for (rows, k, n) in sizes {
      let (w, dy) = (QuantizedWeight(random: [n, k], seed: 2), Buffer(random: [rows, n], seed: 3))
      let (got, wanted, floats) = (Buffer([rows, k]), Buffer([rows, k]), w.dequantized)
      withScratch(linearDXScratchBytes(dy: dy.type, weight: w.panels.type, threads: 2)) {
        linearDX(dy.ref, weight: w.weight, into: got.ref, scratch: $0, pool)
        linearDX(dy.ref, weight: floats.ref, into: wanted.ref, scratch: $0, pool)
      }
      withExtendedLifetime((w, floats)) {}
      #expect(got.values == wanted.values, "\(rows)×\(k)×\(n)")
      #expect(got.values.contains { $0 != 0 })
    }
  }

  @Test(
    "dx of a convolution has the bits of the dequantized weight", arguments: KernelSet.runnable,
    ConvolutionTests.cases)
  func convolution(set: KernelSet, c: ConvolutionTests.Case) {
    let pool = ThreadPool.of(2, kernels: set)
    let size = c.geometry.outputSize(height: c.height, width: c.width, kernel: (c.kernel, c.kernel))
    let w = QuantizedWeight(random: [c.outputs, c.channels, c.kernel, c.kernel], seed: 2)
    let dy = Buffer(random: [size.height, size.width, c.outputs], seed: 3)
    let (got, wanted) = (Buffer([c.height, c.width, c.channels]), Buffer([c.height, c.width, c.channels]))
    let floats = w.dequantized
    withScratch(
      convolutionDXScratchBytes(dy: dy.type, weight: w.panels.type, dx: got.type, c.geometry, threads: 2)
    ) {
      convolutionDX(dy.ref, weight: w.weight, c.geometry, into: got.ref, scratch: $0, pool)
      convolutionDX(dy.ref, weight: floats.ref, c.geometry, into: wanted.ref, scratch: $0, pool)
    }
    withExtendedLifetime((w, floats)) {}
    #expect(got.values == wanted.values)
    #expect(got.values.contains { $0 != 0 })
  }

  @Test("a linear layer of floats has the bits of the dequantized weight", arguments: KernelSet.runnable)
  func linearOfFloats(set: KernelSet) {
    let pool = ThreadPool.of(2, kernels: set)
    for (rows, k, n) in [(1, 1, 1), (3, 5, 7), (7, 16, 16), (5, 17, 33), (9, 300, 64), (20, 530, 31)] {
      let (w, x) = (QuantizedWeight(random: [n, k], seed: 2), Buffer(random: [rows, k], seed: 3))
      let (got, wanted, floats) = (Buffer([rows, n]), Buffer([rows, n]), w.dequantized)
      let bias = Buffer(random: [n], seed: 4)
      withScratch(linearScratchBytes(x: x.type, weight: w.panels.type, threads: 2)) {
        Kernels.linear(x.ref, weight: w.weight, bias: bias.ref, into: got.ref, scratch: $0, pool)
        Kernels.linear(x.ref, weight: floats.ref, bias: bias.ref, into: wanted.ref, scratch: $0, pool)
      }
      withExtendedLifetime((w, floats)) {}
      #expect(got.values == wanted.values, "\(rows)×\(k)×\(n)")
    }
  }

  @Test(
    "a convolution of floats has the bits of the dequantized weight", arguments: KernelSet.runnable,
    ConvolutionTests.cases)
  func convolutionOfFloats(set: KernelSet, c: ConvolutionTests.Case) {
    let pool = ThreadPool.of(2, kernels: set)
    let size = c.geometry.outputSize(height: c.height, width: c.width, kernel: (c.kernel, c.kernel))
    let w = QuantizedWeight(random: [c.outputs, c.channels, c.kernel, c.kernel], seed: 2)
    let x = Buffer(random: [c.height, c.width, c.channels], seed: 3)
    let (got, wanted) = (
      Buffer([size.height, size.width, c.outputs]), Buffer([size.height, size.width, c.outputs])
    )
    let floats = w.dequantized
    withScratch(convolutionScratchBytes(x: x.type, weight: w.panels.type, c.geometry, threads: 2)) {
      Kernels.convolution(x.ref, weight: w.weight, bias: nil, c.geometry, into: got.ref, scratch: $0, pool)
      Kernels.convolution(
        x.ref, weight: floats.ref, bias: nil, c.geometry, into: wanted.ref, scratch: $0, pool)
    }
    withExtendedLifetime((w, floats)) {}
    #expect(got.values == wanted.values)
  }

  @Test(
    "rows are dequantized as the scalar twin does, missing columns as zeros", arguments: KernelSet.runnable)
  func rows(set: KernelSet) {
    let scalar = KernelSet.named("scalar")!.table.pointee
    for groups in [1, 2, 5] {
      let b = FencedBytes(groups * 64)
      for (i, v) in Random(2).floats(groups * 64).enumerated() {
        b.bytes[i] = UInt8(bitPattern: Int8(v * 127))
      }
      let q = UnsafeRawPointer(b.bytes).assumingMemoryBound(to: Int8.self)
      for columns in 1...16 {
        let scales = FencedRow(columns, seed: 1)
        let y = [FencedRow(64 * groups, seed: 3), FencedRow(64 * groups, seed: 4)]
        withExtendedLifetime((b, scales)) {
          scalar.dequantize_rows(groups, columns, q, scales.floats, y[0].floats)
          set.table.pointee.dequantize_rows(groups, columns, q, scales.floats, y[1].floats)
        }
        #expect(y[0].values == y[1].values)
        for c in 0..<4 * groups {
          for j in 0..<16 {
            let wanted = j < columns ? scales.floats[j] * Float(q[c / 4 * 64 + 4 * j + c % 4]) : 0
            #expect(y[0].floats[16 * c + j] == wanted, "channel \(c), column \(j)")
          }
        }
      }
    }
  }

  @Test(
    "a block is dequantized as the scalar twin does, missing groups as zeros", arguments: KernelSet.runnable)
  func block(set: KernelSet) {
    let scalar = KernelSet.named("scalar")!.table.pointee
    let scales = Random(1).floats(16).map(abs)
    for groups in 1...4 {
      let b = FencedBytes(groups * 64)
      for (i, v) in Random(2).floats(groups * 64).enumerated() {
        b.bytes[i] = UInt8(bitPattern: Int8(v * 127))
      }
      let q = UnsafeRawPointer(b.bytes).assumingMemoryBound(to: Int8.self)
      for rows in 1...16 {
        let y = [FencedRow(16 * rows, seed: 3), FencedRow(16 * rows, seed: 4)]
        withExtendedLifetime(b) {
          scalar.dequantize_block(rows, groups, q, scales, y[0].floats)
          set.table.pointee.dequantize_block(rows, groups, q, scales, y[1].floats)
        }
        #expect(y[0].values == y[1].values)
        for r in 0..<rows {
          for c in 0..<16 {
            let wanted = c < 4 * groups ? scales[r] * Float(q[c / 4 * 64 + 4 * r + c % 4]) : 0
            #expect(y[0].floats[16 * r + c] == wanted, "row \(r), channel \(c)")
          }
        }
      }
    }
  }
}

extension QuantizedWeight {
  /// scale·q in panels of floats.
  var dequantized: Buffer {
    let k = values.count / checkpointShape[0]
    let floats = quantized.enumerated().map { Float($1) * scales.floats[$0 / k] }
    let other = Buffer(panels.type.shape, layout: .panels)
    floats.withUnsafeBytes {
      packPanels(
        $0, element: .f32, checkpointShape: checkpointShape, rows: 0..<checkpointShape[0],
        into: UnsafeMutableRawBufferPointer(start: other.address, count: other.type.byteCount))
    }
    return other
  }
}
