import CKernels
import Kernels
import Testing

/// Every variant of the int8 kernels on its own. Integer sums are exact and no float operation is fused, so
/// nothing here needs a tolerance but the rounding of a quantized value itself.
@Suite("int8 kernels") struct Int8KernelTests {
  /// Values of rows and weights; the uniform ones drive every sum as far as it can go.
  enum Fill: CaseIterable {
    case random, highest, opposite, alternating

    func row(_ k: Int, seed: UInt64) -> [Int] {
      switch self {
      case .random: Random(seed).floats(k).map { Int(($0 * 127).rounded()) }
      case .highest, .opposite: Array(repeating: 127, count: k)
      case .alternating: (0..<k).map { $0 % 2 == 0 ? 127 : -127 }
      }
    }

    func column(_ k: Int, seed: UInt64) -> [Int] {
      self == .opposite ? Array(repeating: -127, count: k) : row(k, seed: seed)
    }
  }

  /// `[ceil(N/16)]` panels with their column sums, from columns of k values.
  static func panels(_ columns: [[Int]], k: Int) -> Buffer {
    let bytes = 64 + 16 * k
    let count = (columns.count + 15) / 16
    let buffer = Buffer([count * bytes], element: .s8)
    for j in 0..<16 * count {
      let column = j < columns.count ? columns[j] : Array(repeating: 0, count: k)
      let panel = buffer.address + j / 16 * bytes
      panel.storeBytes(of: Int32(column.reduce(0, +)), toByteOffset: j % 16 * 4, as: Int32.self)
      for (kk, value) in column.enumerated() {
        panel.storeBytes(
          of: Int8(value), toByteOffset: 64 + kk / 4 * 64 + j % 16 * 4 + kk % 4, as: Int8.self)
      }
    }
    return buffer
  }

  @Test(
    "a tile equals the formula exactly and reads no further than its rows", arguments: KernelSet.runnable,
    Fill.allCases)
  func tile(set: KernelSet, fill: Fill) {
    let tile = set.int8Tile
    for k in [4, 8, 12, 16, 20, 36, 260] {
      let rows = (0..<tile.rows).map { fill.row(k, seed: UInt64($0 + 1)) }
      let columns = (0..<tile.columns).map { fill.column(k, seed: UInt64($0 + 100)) }
      let sums = rows.map { row in columns.map { Float(zip(row, $0).reduce(0) { $0 + $1.0 * $1.1 }) } }
      let panels = Self.panels(columns, k: k)
      let b = panels.address.assumingMemoryBound(to: Int8.self)
      let a = rows.map { row in
        let fenced = FencedBytes(k)
        for (kk, v) in row.enumerated() { fenced.bytes[kk] = UInt8(truncatingIfNeeded: v + set.zero) }
        return fenced
      }
      let addresses = a.map { UnsafePointer($0.bytes) }
      let rowScales = Random(7).floats(tile.rows)
      for m in 1...tile.rows {
        for n in [1, 3, 4, 8, 13, 15, 16, 17, 20, 31, 32] where n <= tile.columns {
          let (scale, bias) = (FencedRow(n, seed: 8), FencedRow(n, seed: 9))
          for (starts, ends) in [(true, true), (true, false), (false, true), (false, false)] {
            let c = FencedRow((m - 1) * (n + 1) + n, seed: 10)
            var wanted = c.values
            for i in 0..<m {
              for j in 0..<n {
                var v = rowScales[i] * sums[i][j]
                if !starts { v = wanted[i * (n + 1) + j] + v }
                if ends { v = v * scale.floats[j] + bias.floats[j] }
                wanted[i * (n + 1) + j] = v
              }
            }
            withExtendedLifetime((a, panels, scale, bias)) {
              set.table.pointee.gemm_s8(
                m, n, k, addresses, rowScales, b, 64 + 16 * k, starts, ends, scale.floats, bias.floats,
                c.floats,
                n + 1)
            }
            #expect(c.values == wanted, "\(m)×\(n)×\(k), starts \(starts), ends \(ends)")
          }
        }
      }
    }
  }

  @Test("the longest sum does not overflow", arguments: KernelSet.runnable, Fill.allCases)
  func longest(set: KernelSet, fill: Fill) {
    let k = 1 << 17
    let (row, column) = (fill.row(k, seed: 1), fill.column(k, seed: 2))
    let panels = Self.panels([column], k: k)
    let a = row.map { UInt8(truncatingIfNeeded: $0 + set.zero) }
    var c: Float = 0
    a.withUnsafeBufferPointer { a in
      withExtendedLifetime(panels) {
        set.table.pointee.gemm_s8(
          1, 1, k, [a.baseAddress!], [1], panels.address.assumingMemoryBound(to: Int8.self), 0, true, true,
          [1],
          [0], &c, 1)
      }
    }
    #expect(c == Float(zip(row, column).reduce(0) { $0 + $1.0 * $1.1 }))
  }

  /// Rows that are zero, too small to count, huge, not finite, and full of ties.
  static let rows: [(name: String, make: @Sendable (Int) -> [Float])] = [
    ("random", { Random(UInt64($0)).floats($0) }),
    ("zero", { Array(repeating: 0, count: $0) }),
    ("negative zero", { Array(repeating: -0.0, count: $0) }),
    ("vanishing", { Random(1).floats($0).map { $0 * 0x1p-101 } }),
    ("small", { Random(2).floats($0).map { $0 * 0x1p-99 } }),
    ("huge", { Random(3).floats($0).map { $0 * 0x1p127 } }),
    ("infinite", { n in (0..<n).map { $0 == n / 2 ? -.infinity : 1 } }),
    ("not a number", { n in (0..<n).map { $0 == n - 1 ? .nan : 1 } }),
    ("ties", { n in (0..<n).map { $0 == 0 ? 127 : Float($0 % 254 - 127) + 0.5 } }),
  ]

  @Test("rows are quantized as the scalar twin does", arguments: KernelSet.runnable)
  func quantize(set: KernelSet) {
    let scalar = KernelSet.named("scalar")!.table.pointee
    for n in TwinTests.lengths {
      for (name, make) in Self.rows {
        let x = FencedRow(n, seed: 0)
        for (j, value) in make(n).enumerated() { x.floats[j] = value }
        let outputs = (FencedBytes((n + 3) / 4 * 4), FencedBytes((n + 3) / 4 * 4))
        let scales = withExtendedLifetime((x, outputs)) {
          (
            scalar.quantize_row(n, x.floats, 0, outputs.0.bytes),
            set.table.pointee.quantize_row(n, x.floats, 128, outputs.1.bytes)
          )
        }
        #expect(scales.0.bitPattern == scales.1.bitPattern, "\(name), \(n)")
        #expect(outputs.0.values == outputs.1.values.map { $0 &- 128 }, "\(name), \(n)")
      }
    }
  }

  @Test(
    "rows become 16 bits as with the scalar twin, the upper ones as with eight", arguments: KernelSet.runnable
  )
  func quantizeWide(set: KernelSet) {
    let scalar = KernelSet.named("scalar")!.table.pointee
    for n in TwinTests.lengths {
      for (name, make) in Self.rows {
        let x = FencedRow(n, seed: 0)
        for (j, value) in make(n).enumerated() { x.floats[j] = value }
        let count = (n + 3) / 4 * 4
        let (twin, own) = ((FencedBytes(count), FencedBytes(count)), (FencedBytes(count), FencedBytes(count)))
        let eight = FencedBytes(count)
        withExtendedLifetime(x) {
          let scales = [
            scalar.quantize_row(n, x.floats, 0, eight.bytes),
            scalar.quantize_row_16(n, x.floats, 0, twin.0.bytes, twin.1.bytes),
            set.table.pointee.quantize_row_16(n, x.floats, 128, own.0.bytes, own.1.bytes),
          ].map(\.bitPattern)
          #expect(scales[0] == scales[1] && scales[0] == scales[2], "\(name), \(n)")
        }
        #expect(twin.0.values == eight.values, "\(name), \(n)")
        #expect(twin.0.values == own.0.values.map { $0 &- 128 }, "\(name), \(n)")
        #expect(twin.1.values == own.1.values.map { $0 &- 128 }, "\(name), \(n)")
      }
    }
  }

  @Test("16 bits leave half a step of max|x|/(127·254)")
  func steps() {
    let quantize = KernelSet.named("scalar")!.table.pointee.quantize_row_16
    for n in [1, 2, 5, 64, 300] {
      for (name, make) in Self.rows where !["infinite", "not a number", "vanishing"].contains(name) {
        let x = make(n)
        var (high, low) = (
          [UInt8](repeating: 0, count: (n + 3) / 4 * 4), [UInt8](repeating: 0, count: (n + 3) / 4 * 4)
        )
        let scale = Double(quantize(n, x, 0, &high, &low))
        for j in 0..<n {
          let (upper, lower) = (Double(Int8(bitPattern: high[j])), Double(Int8(bitPattern: low[j])))
          // Scale, its inverse and t round once each, t and the scale beside 127 steps; 254·(t − round(t)) once more.
          let bound = scale * (0.5 / 254 + 127 * 6 * unit)
          #expect(
            abs(lower) <= 127 && abs(Double(x[j]) - scale * (upper + lower / 254)) <= bound, "\(name), \(n)")
        }
      }
    }
  }

  @Test("the scalar twin rounds x·127/max to even, and says what a row became")
  func twin() {
    let quantize = KernelSet.named("scalar")!.table.pointee.quantize_row
    for n in [1, 2, 3, 4, 5, 63, 300] {
      for (name, make) in Self.rows {
        let x = make(n)
        var q = [UInt8](repeating: 0xa5, count: (n + 3) / 4 * 4)
        let scale = quantize(n, x, 0, &q)
        let values = q.map { Int(Int8(bitPattern: $0)) }
        #expect(values[n...].allSatisfy { $0 == 0 }, "padding of \(name), \(n)")
        switch name {
        case "zero", "negative zero", "vanishing":
          #expect(scale == 0 && values.allSatisfy { $0 == 0 }, "\(name), \(n)")
        case "infinite", "not a number":
          #expect(scale.isNaN && values.allSatisfy { $0 == 0 }, "\(name), \(n)")
        default:
          let (wanted, scales) = quantizedRows(x, columns: n)
          #expect(scale == scales[0] && Array(values[..<n]) == wanted, "\(name), \(n)")
          #expect(values.contains { abs($0) == 127 } && values.allSatisfy { abs($0) <= 127 })
          for j in 0..<n {
            // Scale, its inverse and their product round once each: 127·3u beside half a step, doubled.
            let step = Double(scale)
            #expect(abs(Double(x[j]) - step * Double(values[j])) <= step * (0.5 + 127 * 6 * unit), "\(name)")
          }
        }
      }
    }
  }
}

extension KernelSet {
  /// The byte that stands for 0 in quantized rows.
  var zero: Int { Int(table.pointee.s8_zero) }
}
