import CKernels
import Kernels
import Tensors
import TestSupport
import Testing

@Suite("int8 panels") struct Int8PanelTests {
  static let shapes = [
    [5, 7], [16, 4], [33, 6], [1, 1], [16, 64], [33, 6, 3, 3], [17, 1, 3, 3], [4, 8, 1, 1], [40, 5, 3, 2],
  ]

  @Test("every byte and every column sum is where the layout says", arguments: shapes)
  func layout(shape: [Int]) {
    let w = QuantizedWeight(random: shape, seed: 4)
    let (n, channels, taps) = (shape[0], shape[1], shape.dropFirst(2).reduce(1, *))
    let groups = (channels + 3) / 4
    let (q, stored) = (w.quantized, bytes(w.panels))
    #expect(w.panels.type.byteCount == (n + 15) / 16 * taps * (groups + 1) * 64)
    for o in 0..<(n + 15) / 16 * 16 {
      for tap in 0..<taps {
        let start = (o / 16 * taps + tap) * (groups + 1) * 64
        var sum = 0
        for c in 0..<groups * 4 {
          let found = Int8(bitPattern: stored[start + 64 + c / 4 * 64 + o % 16 * 4 + c % 4])
          let wanted = o < n && c < channels ? q[(o * channels + c) * taps + tap] : 0
          #expect(Int(found) == wanted, "output \(o), tap \(tap), channel \(c)")
          sum += wanted
        }
        let found = stored.withUnsafeBytes { $0.load(fromByteOffset: start + o % 16 * 4, as: Int32.self) }
        #expect(Int(found) == sum, "sum of output \(o), tap \(tap)")
      }
    }
  }

  @Test("scales use the whole range, values beyond it stay at ±127, a zero output stays zero")
  func range() {
    let shape = [3, 10]
    var values = Random(5).floats(30)
    for k in 0..<10 { values[10 + k] = 0 }
    let w = QuantizedWeight(shape, values)
    let q = w.quantized
    #expect(w.scales.floats[1] == 0 && q[10..<20].allSatisfy { $0 == 0 })
    for n in [0, 2] {
      let row = values[n * 10..<n * 10 + 10]
      #expect(w.scales.floats[n] == row.map(abs).max()! / 127)
      #expect(q[n * 10..<n * 10 + 10].map(abs).max() == 127)
    }
    let half = (0..<3).map { w.scales.floats[$0] / 2 }
    pack(values, half, shape, 0..<3, into: w.panels)
    let stored = bytes(w.panels)
    for n in [0, 2] {
      for k in 0..<10 {
        let wanted = max(-127, min(127, (values[n * 10 + k] / half[n]).rounded(.toNearestOrEven)))
        #expect(Int8(bitPattern: stored[64 + k / 4 * 64 + n * 4 + k % 4]) == Int8(wanted))
      }
    }
  }

  @Test("pieces and threads pack the same bytes as one call")
  func pieces() {
    let shape = [70, 9, 3, 3]
    let w = QuantizedWeight(random: shape, seed: 6)
    let scales = w.scales.values
    let other = Buffer(w.panels.type.shape, element: .s8, layout: .panels)
    for rows in [0..<32, 32..<48, 48..<70] {
      pack(w.values, scales, shape, rows, into: other, ThreadPool.of(2))
    }
    #expect(bytes(other) == bytes(w.panels))
  }

  private func bytes(_ b: Buffer) -> [UInt8] {
    Array(UnsafeRawBufferPointer(start: b.address, count: b.type.byteCount))
  }

  /// Packs the rows `rows` of a whole weight to their place.
  private func pack(
    _ values: [Float], _ scales: [Float], _ shape: [Int], _ rows: Range<Int>, into panels: Buffer,
    _ pool: ThreadPool? = nil
  ) {
    let k = values.count / shape[0]
    let panelBytes = panels.type.byteCount / ((shape[0] + 15) / 16)
    let start = rows.lowerBound / 16 * panelBytes
    Array(values[rows.lowerBound * k..<rows.upperBound * k]).withUnsafeBufferPointer { source in
      Array(scales[rows]).withUnsafeBufferPointer {
        packInt8Panels(
          source, scales: $0, checkpointShape: shape, rows: rows,
          into: UnsafeMutableRawBufferPointer(
            start: panels.address + start, count: panels.type.byteCount - start), pool)
      }
    }
  }
}
