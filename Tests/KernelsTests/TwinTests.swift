import CKernels
import Kernels
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A row of random values whose last byte is the last of a page; the next page cannot be touched.
final class FencedRow {
  let floats: UnsafeMutablePointer<Float>
  private let pages: UnsafeMutableRawPointer, size: Int, count: Int

  init(_ count: Int, seed: UInt64) {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    size = (count * 4 + page - 1) / page * page + page
    self.count = count
    pages = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
    mprotect(pages + size - page, page, PROT_NONE)
    floats = (pages + size - page - count * 4).assumingMemoryBound(to: Float.self)
    for (i, value) in Random(seed).floats(count).enumerated() { floats[i] = value }
  }

  deinit { munmap(pages, size) }
  var values: [Float] { (0..<count).map { floats[$0] } }
}

/// Every kernel of every other set against the scalar set, on rows that end before a forbidden page, from
/// nothing to past two registers of the widest set.
@Suite("Scalar twins") struct TwinTests {
  static let others = KernelSet.runnable.filter { $0.name != "scalar" }
  static let lengths = Array(0...34) + [63, 64, 65, 100]
  let scalar = KernelSet.named("scalar")!.table.pointee

  /// Runs `kernel` of both sets on equal rows; the largest difference over all rows.
  private func difference(
    _ set: KernelSet, _ lengths: [Int], _ kernel: (kernel_set, [UnsafeMutablePointer<Float>]) -> Void
  ) -> Float {
    let results = [scalar, set.table.pointee].map { table in
      let rows = lengths.enumerated().map { FencedRow($1, seed: UInt64($0 + 1)) }
      kernel(table, rows.map(\.floats))
      return rows.flatMap(\.values)
    }
    return zip(results[0], results[1]).reduce(0) { worst, pair in
      let d = abs(pair.0 - pair.1)
      return d.isNaN ? .infinity : max(worst, d)
    }
  }

  @Test("activations differ by a few roundings", arguments: others)
  func activations(set: KernelSet) {
    for n in Self.lengths {
      // Values and slopes stay below 1.2 on −1…1; each has fewer than 8 roundings, and erf counts for 4.
      let tolerance = Float(16 * unit)
      #expect(difference(set, [n, n]) { $0.silu(n, $1[0], $1[1]) } <= tolerance)
      #expect(difference(set, [n, n]) { $0.gelu(n, $1[0], $1[1]) } <= tolerance)
      #expect(difference(set, [n, n]) { $0.quick_gelu(n, $1[0], $1[1]) } <= tolerance)
      #expect(difference(set, [n, n, n]) { $0.silu_dx(n, $1[0], $1[1], $1[2]) } <= tolerance)
      #expect(difference(set, [n, n, n]) { $0.gelu_dx(n, $1[0], $1[1], $1[2]) } <= tolerance)
      #expect(difference(set, [n, n, n]) { $0.quick_gelu_dx(n, $1[0], $1[1], $1[2]) } <= tolerance)
      #expect(difference(set, [n, n, n]) { $0.geglu(n, $1[0], $1[1], $1[2]) } <= tolerance)
    }
  }

  @Test("softmax rows differ by a few roundings of an exponential", arguments: others)
  func softmax(set: KernelSet) {
    for n in Self.lengths {
      for valid in Set([0, n / 2, n]) {
        // Weights are at most 1 and their sum at most n; scores of 10 carry 10·u into the exponent.
        let d = difference(set, [n, 2]) { table, rows in
          (rows[1][0], rows[1][1]) = (-.infinity, 0)
          let first = table.softmax_row(valid, n, 10, rows[0], rows[1])
          #expect(first == (valid == 0 ? 1 : 0))
          if valid == 0 { rows[1][0] = 0 }
        }
        #expect(d <= Float(Double(16 * max(1, n)) * unit), "\(valid) of \(n)")
      }
      for step in [0, 1] {
        let m = step == 0 ? 1 : n
        #expect(
          difference(set, [n, max(1, m)]) { $0.probability_row(n, 3, $1[1], step, $1[0]) }
            <= Float(64 * 16 * unit))
        #expect(
          difference(set, [n, n, max(1, m)]) { $0.dscore_row(n, 0.5, $1[0], $1[2], step, $1[1]) }
            <= Float(4 * unit))
      }
    }
  }

  @Test("probabilities are powers of two to 2 roundings, and 0 below 2^−100", arguments: KernelSet.runnable)
  func powers(set: KernelSet) {
    let exponents = (0...100_003).map { Float($0) * -0x1.1p-10 }
    var s = exponents
    set.table.pointee.probability_row(s.count, 1, [0], 0, &s)
    for (t, p) in zip(exponents, s) {
      let exact = exp2(Double(t))
      guard t >= -100 ? abs(Double(p) - exact) <= 2 * unit * exact : p == 0 else {
        Issue.record("2^\(t) is \(p)")
        return
      }
    }
    #expect(s[0] == 1 && exponents.last! < -100)
  }

  @Test("normalizations differ by a few roundings", arguments: others)
  func normalizations(set: KernelSet) {
    for n in Self.lengths {
      for step in [0, 1] {
        let m = step == 0 ? 1 : max(1, n)
        let y = difference(set, [n, m, m, n, n, n]) {
          $0.normalize(n, $1[0], $1[1], $1[2], step, $1[3], $1[4], $1[5])
        }
        #expect(y <= Float(4 * 3 * unit))  // |y| ≤ 3
        let dx = difference(set, [n, n, m, m, m, m, n, n]) {
          $0.normalize_dx(n, $1[0], $1[1], $1[2], $1[3], $1[4], $1[5], step, $1[6], $1[7])
        }
        #expect(dx <= Float(6 * 4 * unit))  // |dx| ≤ 4
      }
    }
  }

  @Test("sums in double agree to double's rounding", arguments: others)
  func sums(set: KernelSet) {
    for channels in Self.lengths where channels > 0 {
      for rows in [1, 2, 63, 64, 65, 130] {
        let (ldx, ldy) = (channels, channels + 3)
        let (x, y) = (FencedRow(rows * ldx, seed: 1), FencedRow((rows - 1) * ldy + channels, seed: 2))
        var pair = [[Double]](repeating: Array(repeating: 1, count: 2 * channels), count: 2)
        scalar.channel_sums(rows, channels, x.floats, ldx, y.floats, ldy, &pair[0])
        set.table.pointee.channel_sums(rows, channels, x.floats, ldx, y.floats, ldy, &pair[1])
        for (a, b) in zip(pair[0], pair[1]) { #expect(abs(a - b) <= Double(rows * rows) * 0x1p-52) }
      }
      let rows = (1...3).map { FencedRow(channels, seed: $0) }
      for gamma in [rows[2].floats, nil] {
        var (a, b) = ([0.0, 0.0], [0.0, 0.0])
        scalar.row_sums(channels, rows[0].floats, rows[1].floats, gamma, &a)
        set.table.pointee.row_sums(channels, rows[0].floats, rows[1].floats, gamma, &b)
        for i in 0..<2 { #expect(abs(a[i] - b[i]) <= Double(channels * channels) * 0x1p-52) }
      }
    }
  }

  @Test("GEMM reads no further than its rows", arguments: others, [1, 15, 16, 33])
  func gemm(set: KernelSet, k: Int) {
    let panels = Buffer(random: [2, k, 16], seed: 9)
    for m in 1...set.tile.rows {
      for n in 1...set.tile.columns {
        let a = (0..<m).map { FencedRow(k, seed: UInt64($0)) }
        let (bias, c) = (FencedRow(n, seed: 20), FencedRow((m - 1) * (n + 1) + n, seed: 21))
        let pointers = a.map { UnsafePointer($0.floats) }
        set.table.pointee.gemm_f32(m, n, k, pointers, 0, panels.floats, k * 16, bias.floats, c.floats, n + 1)
        for i in 0..<m {
          for j in 0..<n {
            var sum = Double(bias.floats[j])
            for kk in 0..<k {
              sum += Double(a[i].floats[kk]) * Double(panels.floats[(j / 16 * k + kk) * 16 + j % 16])
            }
            #expect(abs(Double(c.floats[i * (n + 1) + j]) - sum) <= Double((k + 1) * (k + 1)) * unit)
          }
        }
      }
    }
  }
}
