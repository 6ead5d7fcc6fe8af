import CKernels
import Kernels
import Testing

/// One number for the results of every row kernel on the same values, whatever processor runs them: AVX2, AVX-512
/// and NEON have 16 lanes, fused products and one order of every sum. SSE4.1 and the scalar twin round products and
/// sums apart, so that they share only the numbers of the kernels that are exact.
@Suite("Bits of the row kernels") struct RowBitsTests {
  /// A kernel of the `KERNELS` list, how it is run on rows of n values, and the fingerprint of all its results.
  struct Line: CustomTestStringConvertible, Sendable {
    var kernel: String, bits: UInt64, exact: Bool
    var run: @Sendable (kernel_set, Rows, inout Fingerprint) -> Void
    var testDescription: String { kernel }

    init(
      _ kernel: String, _ bits: UInt64, exact: Bool = false,
      _ run: @escaping @Sendable (kernel_set, Rows, inout Fingerprint) -> Void
    ) {
      (self.kernel, self.bits, self.exact, self.run) = (kernel, bits, exact, run)
    }
  }

  /// From one lane to past two registers of the widest set, and rows of real layers.
  static let lengths = Array(1...50) + [63, 64, 65, 77, 80, 127, 128, 129, 191, 320]

  static let lines: [Line] = [
    Line("widen_f16", 0xb6c5_19e9_9817_14f8, exact: true) { $2.add(floats: $1.n, $1.halves, $0.widen_f16) },
    Line("widen_bf16", 0x43cc_5942_7aeb_d310, exact: true) { $2.add(floats: $1.n, $1.halves, $0.widen_bf16) },
    Line("narrow_f16", 0x41cf_9f8b_04af_9d91, exact: true) { set, rows, print in
      var y = [UInt16](repeating: 0, count: rows.n)
      set.narrow_f16(rows.n, rows.x, &y)
      print.add(y)
    },
    Line("max_size", 0xc6d1_dd3f_2743_925e, exact: true) { $2.add([$0.max_size($1.n, $1.x)]) },
    Line("quantize_row", 0x1495_f4ab_9280_6569, exact: true) { set, rows, print in
      var q = [UInt8](repeating: 0, count: (rows.n + 3) / 4 * 4)
      print.add([set.quantize_row(rows.n, rows.x, 128, &q)])
      print.add(q)
    },
    Line("quantize_row_16", 0xe051_d0e1_049c_2ca4, exact: true) { set, rows, print in
      var high = [UInt8](repeating: 0, count: (rows.n + 3) / 4 * 4)
      var low = high
      print.add([set.quantize_row_16(rows.n, rows.x, 128, &high, &low)])
      print.add(high + low)
    },
    Line("dequantize_block", 0xa0d3_d408_2097_be08, exact: true) { set, rows, print in
      for count in [1, 7, 16] {
        print.add(floats: count * 16) {
          set.dequantize_block(count, 1 + rows.n % 4, rows.bytes, rows.gamma, $0)
        }
      }
    },
    Line("dequantize_rows", 0xed0a_c684_459b_5c59, exact: true) { set, rows, print in
      let groups = (rows.n + 3) / 4
      print.add(floats: groups * 64) {
        set.dequantize_rows(groups, 1 + rows.n % 16, rows.bytes, rows.gamma, $0)
      }
    },
    Line("pack_panel_s8", 0x4d75_158f_faef_7f3a, exact: true) { set, rows, print in
      for taps in [1, 4, 9] {
        let channels = max(1, rows.n / taps)
        var y = [Int8](repeating: 0, count: taps * (64 + (channels + 3) / 4 * 64))
        set.pack_panel_s8(1 + rows.n % 16, channels, taps, rows.many, rows.scales, &y)
        print.add(y)
      }
    },
    Line("quantization_error", 0xfd8f_9b71_2532_ec0a, exact: true) {
      $2.add([$0.quantization_error($1.n, $1.x, 30)])
    },
    Line("hadamard", 0x98b9_6ead_77aa_16cb, exact: true) { set, rows, print in
      for width in [16, 64, 256] { print.add(floats: 512) { set.hadamard(512, width, rows.many, $0) } }
    },
    Line("transpose_16x16", 0xab96_e069_8fc7_c988, exact: true) { set, rows, print in
      print.add(floats: 15 * (16 + rows.n % 9) + 16) {
        set.transpose_16x16(rows.many, 16 + rows.n % 7, $0, 16 + rows.n % 9)
      }
    },
    Line("pack_queries", 0x6985_90ce_769b_bb52, exact: true) { set, rows, print in
      for count in [1, 7, 16] {
        var panel = [Int8](repeating: 0, count: 64 + (rows.n + 3) / 4 * 64)
        print.add(floats: 16) { set.pack_queries(count, rows.n, rows.many, rows.n, $0, &panel) }
        print.add(panel)
      }
    },
    Line("pack_keys", 0x0cd3_6788_97c3_43e0, exact: true) { set, rows, print in
      var q = [UInt8](repeating: 0, count: 3 * ((rows.n + 3) / 4 * 4))
      print.add(floats: 3) { set.pack_keys(3, rows.n, rows.many, rows.n + 1, rows.y, 128, &q, $0) }
      print.add(q)
    },
    Line("finish_queries", 0xea6b_47cc_89d0_fd84, exact: true) { set, rows, print in
      for count in [1, 6, 16] {
        let n = min(rows.n, 200)
        print.add(floats: count * (n + 2)) {
          set.finish_queries(count, n, rows.many, 32, rows.gamma, $0, n + 2)
        }
      }
    },
    Line("softmax_row", 0x9001_40c9_b20c_b68b) { set, rows, print in
      var (state, s) = ([-Float.infinity, 0], rows.x)
      for (valid, scale) in [(rows.n * 2 / 3, Float(0.3)), (rows.n, 0.5)] {
        print.add([set.softmax_row(valid, rows.n, scale, &s, &state)])
        print.add(s + state)
        s = rows.x.reversed()
      }
    },
    Line("probability_row", 0x2eac_1e05_9c75_ea6f) { set, rows, print in
      for step in [0, 1] {
        var s = rows.x
        set.probability_row(rows.n, 0.3, rows.gamma, step, &s)
        print.add(s)
      }
    },
    Line("dscore_row", 0xd523_54b7_3b01_e17e, exact: true) { set, rows, print in
      for step in [0, 1] {
        var dp = rows.y
        set.dscore_row(rows.n, 0.3, rows.x, rows.gamma, step, &dp)
        print.add(dp)
      }
    },
    Line("channel_sums", 0xb38e_3beb_b7a7_7fc4, exact: true) { set, rows, print in
      let (count, channels) = (1 + rows.n % 67, min(rows.n, 77))
      var sums = (0..<2 * channels).map { Double($0) }
      rows.many.withUnsafeBufferPointer { x in
        for other in [x.baseAddress!, x.baseAddress! + 5] {
          set.channel_sums(count, channels, x.baseAddress!, channels + 1, other, channels + 1, &sums)
          print.add(sums)
        }
      }
    },
    Line("row_sums", 0x8ec7_e995_172f_1d29, exact: true) { set, rows, print in
      rows.x.withUnsafeBufferPointer { x in
        var sums = [0.0, 0]
        set.row_sums(rows.n, x.baseAddress!, x.baseAddress!, nil, &sums)
        print.add(sums)
        set.row_sums(rows.n, x.baseAddress!, rows.y, nil, &sums)
        print.add(sums)
        set.row_sums(rows.n, x.baseAddress!, rows.y, rows.gamma, &sums)
        print.add(sums)
      }
    },
    Line("normalize", 0x2fc2_5de4_d52f_512d) { set, rows, print in
      for step in [0, 1] {
        print.add(floats: rows.n) {
          set.normalize(rows.n, rows.x, rows.mean, rows.rsigma, step, rows.gamma, rows.y, $0)
        }
      }
    },
    Line("normalize_dx", 0x5f99_e334_3f12_b3a8) { set, rows, print in
      for step in [0, 1] {
        print.add(floats: rows.n) {
          set.normalize_dx(
            rows.n, rows.x, rows.y, rows.mean, rows.rsigma, rows.gamma, rows.mean, step, rows.gamma, $0)
        }
      }
    },
    Line("finish_tile", 0xf6f7_a4ae_297a_3caf, exact: true) { set, rows, print in
      for (channels, residual) in [(false, false), (false, true), (true, false), (true, true)] {
        rows.x.withUnsafeBufferPointer { x in
          rows.y.withUnsafeBufferPointer { y in
            print.add(floats: 2 * rows.n + 3) {
              set.finish_tile(
                2, rows.n, rows.many, rows.n + 1, channels ? x.baseAddress : nil,
                residual ? y.baseAddress : nil, 0,
                $0, rows.n + 3)
            }
          }
        }
      }
    },
    Line("silu", 0x1446_e0bf_b07a_2c4f) { $2.add(floats: $1.n, $1.x, $0.silu) },
    Line("gelu", 0xbeed_fc32_029c_fea3) { $2.add(floats: $1.n, $1.x, $0.gelu) },
    Line("quick_gelu", 0xf9e1_e55a_93c8_56a6) { $2.add(floats: $1.n, $1.x, $0.quick_gelu) },
    Line("silu_dx", 0x426f_572f_99d5_dd26) { $2.add(floats: $1.n, $1.x, $1.y, $0.silu_dx) },
    Line("gelu_dx", 0xb94e_5931_2aaa_2bf7) { $2.add(floats: $1.n, $1.x, $1.y, $0.gelu_dx) },
    Line("quick_gelu_dx", 0xe43a_f507_b928_533b) { $2.add(floats: $1.n, $1.x, $1.y, $0.quick_gelu_dx) },
    Line("geglu", 0xd809_948a_a3e1_46f9) { $2.add(floats: $1.n, $1.x, $1.y, $0.geglu) },
  ]

  @Test("every kernel of the list has a line here") func complete() {
    var names: [String] = []
    while let name = kernel_name_at(names.count) { names.append(String(cString: name)) }
    #expect(names == Self.lines.map(\.kernel))
  }

  @Test("are the same on every set that fuses products, and of exact kernels on all", arguments: lines)
  func bits(line: Line) {
    for set in KernelSet.runnable where line.exact || set.sharesBits {
      var print = Fingerprint()
      for n in Self.lengths {
        for size: Float in [1, 6, 100] { line.run(set.table.pointee, Rows(n, size: size), &print) }
      }
      #expect(print.value == line.bits, "\(line.kernel) of \(set.name): 0x\(String(print.value, radix: 16))")
    }
  }

  @Test("of SSE4.1 are those of the scalar twin", arguments: lines)
  func apart(line: Line) {
    let results = KernelSet.runnable.filter { !$0.sharesBits }.map { set in
      var print = Fingerprint()
      for n in Self.lengths { line.run(set.table.pointee, Rows(n, size: 6), &print) }
      return print.value
    }
    #expect(Set(results).count == 1)
  }

  @Test("of the GEMM tile are the same on every set that fuses products") func tile() {
    for set in KernelSet.runnable where set.sharesBits {
      var print = Fingerprint()
      for k in [1, 7, 64, 300] {
        let rows = Rows(k * 16, size: 1)
        let panel = Buffer([k, 16], rows.x)
        for n in [1, 15, 16] {
          var c = [Float](repeating: 0, count: 32)
          rows.y.withUnsafeBufferPointer { a in
            let table = [a.baseAddress!, a.baseAddress! + k]
            withExtendedLifetime(panel) {
              set.table.pointee.gemm_f32(2, n, k, table, 0, panel.floats, k * 16, rows.gamma, &c, 16)
            }
          }
          print.add(c)
        }
      }
      #expect(print.value == 0x200d_93a6_e835_dc31, "\(set.name): 0x\(String(print.value, radix: 16))")
    }
  }
}

/// Values for a call with rows of n, the same for every set.
struct Rows: Sendable {
  let n: Int
  let x: [Float], y: [Float], mean: [Float], gamma: [Float], rsigma: [Float], many: [Float]
  let scales: [Float], bytes: [Int8], halves: [UInt16]

  /// x and `many` lie in −size…size; halves and bfloat16s are finite.
  init(_ n: Int, size: Float) {
    self.n = n
    let random = Random(UInt64(n))
    x = random.floats(n).map { $0 * size }
    y = Random(UInt64(n) + 1000).floats(n).map { $0 * 2 }
    mean = Random(UInt64(n) + 2000).floats(n)
    gamma = Random(UInt64(n) + 3000).floats(max(n, 16)).map { $0 + 1.5 }
    rsigma = Random(UInt64(n) + 4000).floats(n).map { $0 + 1.5 }
    many = Random(UInt64(n) + 5000).floats(max(16 * n, 6400)).map { $0 * size }
    scales = (0..<16).map { $0 == 5 ? 0 : Float($0 + 1) / 127 }
    bytes = Random(UInt64(n) + 6000).floats(max(256, (n + 3) / 4 * 64)).map { Int8($0 * 127) }
    halves = (0..<n).map { UInt16(truncatingIfNeeded: $0 &* 40_503 &+ n) & 0xbbff }
  }
}

/// FNV-1a of the bytes of results.
struct Fingerprint {
  private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

  mutating func add<T: BitwiseCopyable>(_ results: [T]) {
    results.withUnsafeBytes { for byte in $0 { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 } }
  }

  /// What `kernel` writes into so many floats.
  mutating func add(floats count: Int, _ kernel: (UnsafeMutablePointer<Float>) -> Void) {
    var y = [Float](repeating: 0, count: count)
    y.withUnsafeMutableBufferPointer { kernel($0.baseAddress!) }
    add(y)
  }

  mutating func add<T>(
    floats n: Int, _ x: [T], _ kernel: (Int, UnsafePointer<T>, UnsafeMutablePointer<Float>) -> Void
  ) {
    add(floats: n) { kernel(n, x, $0) }
  }

  mutating func add(floats n: Int, _ a: [Float], _ b: [Float], _ kernel: binary_fn) {
    add(floats: n) { kernel(n, a, b, $0) }
  }

  typealias binary_fn = (Int, UnsafePointer<Float>, UnsafePointer<Float>, UnsafeMutablePointer<Float>) -> Void
}
