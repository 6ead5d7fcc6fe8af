import CKernels
import Kernels
import Tensors
import TestSupport
import Testing

@Suite("Rotation") struct RotationTests {
  static let sizes = [
    (16, 16), (48, 16), (320, 16), (64, 64), (192, 64), (256, 256), (1280, 256), (1024, 1024),
  ]

  @Test("has the bits of the scalar twin, in place and beside", arguments: KernelSet.runnable, sizes)
  func twins(set: KernelSet, size: (n: Int, width: Int)) {
    let (x, y) = (FencedRow(size.n, seed: 1), FencedRow(size.n, seed: 2))
    let scalar = FencedRow(size.n, seed: 3)
    KernelSet.named("scalar")!.table.pointee.hadamard(size.n, size.width, x.floats, scalar.floats)
    set.table.pointee.hadamard(size.n, size.width, x.floats, y.floats)
    set.table.pointee.hadamard(size.n, size.width, x.floats, x.floats)
    #expect(y.values == scalar.values && x.values == scalar.values)
  }

  @Test("is the Walsh–Hadamard matrix, which is orthogonal and its own inverse", arguments: sizes)
  func definition(size: (n: Int, width: Int)) {
    let (n, width) = size
    let x = Random(4).floats(n)
    var (y, z) = (x, x)
    let hadamard = KernelSet.chosen.table.pointee.hadamard
    hadamard(n, width, x, &y)
    hadamard(n, width, y, &z)
    let stages = Double(width.trailingZeroBitCount)
    for i in 0..<n {
      let start = i / width * width
      var sum = 0.0
      for j in 0..<width {
        sum += (i % width & j).nonzeroBitCount % 2 == 0 ? Double(x[start + j]) : -Double(x[start + j])
      }
      // Each stage rounds once; sums of sizes ≤ 1 stay below √width after the factor.
      let tolerance = stages * unit * Double(width).squareRoot()
      #expect(abs(Double(y[i]) - sum / Double(width).squareRoot()) <= tolerance)
      #expect(abs(Double(z[i]) - Double(x[i])) <= 2 * tolerance)
    }
    let energies = [x, y].map { $0.reduce(0.0) { $0 + Double($1) * Double($1) } }
    #expect(abs(energies[0] - energies[1]) <= 2 * stages * unit * Double(width).squareRoot() * energies[0])
  }

  @Test("of rows and weight leaves a product as it is", arguments: [[9, 128], [5, 64, 3, 3]], [16, 64])
  func product(shape: [Int], width: Int) {
    let pool = ThreadPool.of(2)
    let (channels, taps) = (shape[1], shape.dropFirst(2).reduce(1, *))
    let weight = Random(1).floats(shape.reduce(1, *))
    var turned = weight
    turned.withUnsafeMutableBufferPointer { rotateWeight($0, checkpointShape: shape, width: width, pool) }
    let x = Buffer(random: [taps, channels], seed: 2)
    let before = x.doubles
    rotateRows(x.ref, width: width, pool)
    for o in 0..<shape[0] {
      var (plain, rotated, size) = (0.0, 0.0, 0.0)
      for t in 0..<taps {
        for c in 0..<channels {
          let w = (o * channels + c) * taps + t
          plain += before[t * channels + c] * Double(weight[w])
          rotated += x.doubles[t * channels + c] * Double(turned[w])
          size += 1
        }
      }
      // Both factors carry the roundings of six stages, or four, on values of order √64·u, or less.
      #expect(abs(plain - rotated) <= 2 * 6 * 8 * unit * size)
    }
  }

  @Test(
    "of quantized rows is the rotation, then the quantization", arguments: KernelSet.runnable,
    [(1, 64), (2, 64), (2, 16)])
  func quantized(set: KernelSet, of: (threads: Int, width: Int)) {
    let (threads, width) = of
    let pool = ThreadPool.of(threads, kernels: set)
    let x = Buffer(random: [37, 320], seed: 1)
    let before = x.values
    let memory = Buffer([Int8Rows.byteCount(x.type)], element: .s8)
    let rows = Int8Rows(x.type, at: memory.address)
    withScratch(prologueScratchBytes(channels: 320, threads: threads)) {
      quantizeRows(x.ref, .none, rotatedBy: width, into: rows, scratch: $0, pool)
    }
    #expect(x.values == before)
    rotateRows(x.ref, width: width, pool)
    let (wanted, scales) = quantizedRows(x.values, columns: 320)
    #expect((0..<37).allSatisfy { rows.scales[$0] == scales[$0] })
    #expect(
      (0..<37 * 320).allSatisfy {
        Int(rows.bytes[$0]) - set.zero
          == (set.zero == 0 && rows.bytes[$0] > 127 ? wanted[$0] + 256 : wanted[$0])
      })
    withExtendedLifetime((x, memory)) {}
  }

  /// Rows of 320 channels of which three are 30 times as large as the others, as in trained networks. Each row's
  /// step is 30 times what its other channels need; a group of 64 spreads an outlier over 64 values of size
  /// 30/√64 ≈ 4 beside the 1 of the others. The error falls by 9.7 dB here; what the rounding of the weight leaves
  /// in it does not fall.
  @Test("takes the error that outlier channels cause in int8 down by more than 8 dB")
  func outliers() {
    let (rows, k, n) = (64, 320, 48)
    let pool = ThreadPool.of(2)
    let x = Buffer(random: [rows, k], seed: 1)
    for r in 0..<rows { for c in [5, 130, 131] { x.floats[r * k + c] *= 30 } }
    let weight = Random(2).floats(n * k)
    var wanted = [Double]()
    for r in 0..<rows {
      for o in 0..<n {
        wanted.append((0..<k).reduce(0.0) { $0 + x.doubles(r * k + $1) * Double(weight[o * k + $1]) })
      }
    }
    func noise() -> Double {
      let turned = QuantizedWeight([n, k], rotatedWeight)
      let q = QuantizedRows(x, pool)
      let y = Buffer([rows, n])
      withScratch(int8LinearScratchBytes(x: x.type, weight: turned.panels.type, threads: 2)) { scratch in
        linear(q.rows, weight: turned.weight, bias: nil, into: y.ref, scratch: scratch, pool)
      }
      withExtendedLifetime((q, turned)) {}
      return zip(y.doubles, wanted).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    }
    var rotatedWeight = weight
    let plain = noise()
    rotateRows(x.ref, width: 64, pool)
    rotatedWeight.withUnsafeMutableBufferPointer {
      rotateWeight($0, checkpointShape: [n, k], width: 64, pool)
    }
    let rotated = noise()
    #expect(plain > 6.4 * rotated, "\(plain / rotated)")
  }
}

extension Buffer {
  func doubles(_ index: Int) -> Double { Double(floats[index]) }
}
