import CKernels
import Kernels
import Tensors
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

@Suite("Attention on bytes") struct Int8AttentionTests {
  @Test(
    "is the softmax in double of the rounded operands", arguments: [3, 8, 16, 40, 64, 80, 160],
    [1, 7, 77, 192, 193, 410])
  func rounded(size: Int, keys: Int) {
    let e = Int8AttentionExample(queries: 50, keys: keys, heads: 2, size: size)
    let wanted = e.reference
    for set in KernelSet.runnable {
      let o = e.forward(ThreadPool.of(2, kernels: set))
      #expect(excess(o.values, wanted.o) { wanted.tolerance[$0] } <= 0, "\(set)")
    }
  }

  @Test("has the scalar twin's bits", arguments: KernelSet.runnable, [1, 5, 16, 77, 500])
  func twins(set: KernelSet, keys: Int) {
    let scalar = ThreadPool.of(1, kernels: KernelSet.named("scalar")!)
    for (queries, size) in [(1, 40), (33, 40), (20, 6), (50, 160)] {
      // Scores up to ±6 and more: peaked attention, in which maxima rise from tile to tile.
      let e = Int8AttentionExample(queries: queries, keys: keys, heads: 3, size: size, magnitude: 3)
      #expect(e.forward(ThreadPool.of(2, kernels: set)).values == e.forward(scalar).values)
    }
  }

  @Test("gives the same bits with any number of threads", arguments: KernelSet.runnable, [2, 3, 5])
  func threads(set: KernelSet, count: Int) {
    let e = Int8AttentionExample(queries: 300, keys: 410, heads: 2, size: 40)
    let outputs = [1, count].map { e.forward(ThreadPool.of($0, kernels: set)).values }
    #expect(outputs[0] == outputs[1])
  }

  @Test("gives a query the same bits alone as among others", arguments: KernelSet.runnable)
  func rowIndependence(set: KernelSet) {
    let e = Int8AttentionExample(queries: 35, keys: 300, heads: 2, size: 40)
    let pool = ThreadPool.of(1, kernels: set)
    let together = e.forward(pool).values
    for row in 0..<35 {
      var one = e
      one.queries = 1
      one.q = Buffer([1, 80], Array(e.q.values[row * 80..<row * 80 + 80]))
      #expect(one.forward(pool).values == Array(together[row * 80..<row * 80 + 80]))
    }
  }

  @Test("loses what the rounding of the operands costs", arguments: [40, 160], [1, 2, 4] as [Float])
  func error(size: Int, magnitude: Float) {
    let e = Int8AttentionExample(queries: 64, keys: 1024, heads: 2, size: size, magnitude: magnitude)
    let exact = e.exact
    let o = e.forward(ThreadPool.of(2)).values
    var (signal, error) = (0.0, 0.0)
    for i in o.indices {
      signal += exact[i] * exact[i]
      error += (Double(o[i]) - exact[i]) * (Double(o[i]) - exact[i])
    }
    // A rounding is off by 1/√12 of a step, a step 1/127 of the largest of d evenly distributed values: every value of
    // q and k, of size m/√3, has an error of m/(127·√12), k with twice the step where a mean was subtracted. A score
    // then has one of √5·m²/(√36·127) and the probabilities as much in relative terms; values add 1/(127·√12) to
    // their 1/√3. Half as much again for the tails of the exponential.
    let score = 5.0.squareRoot() * Double(magnitude * magnitude) / (6 * 127)
    #expect(error <= signal * pow(1.5 * (score + 0.5 / 127), 2))
  }

  @Test("survives scores of a hundred million", arguments: KernelSet.runnable)
  func hugeScores(set: KernelSet) {
    let e = Int8AttentionExample(queries: 20, keys: 300, heads: 1, size: 16, magnitude: 10_000)
    let o = e.forward(ThreadPool.of(1, kernels: set)).values
    // One key takes everything: a row of o is one of v's, rounded by half a step of at most 1/127.
    for row in 0..<20 {
      let nearest = (0..<300).map { key in
        (0..<16).map { abs(o[row * 16 + $0] - e.v.values[key * 16 + $0]) }.max()!
      }.min()!
      #expect(nearest <= 0.5 / 127 + 0x1p-20)
    }
  }

  @Test("weighs all keys alike where queries or keys are zeros", arguments: KernelSet.runnable)
  func zeros(set: KernelSet) {
    for magnitudes in [(0, 1), (1, 0)] as [(Float, Float)] {
      var e = Int8AttentionExample(queries: 3, keys: 200, heads: 1, size: 40)
      e.q = Buffer(random: [3, 40], seed: 1, scale: magnitudes.0)
      e.k = Buffer(random: [200, 40], seed: 2, scale: magnitudes.1)
      let o = e.forward(ThreadPool.of(1, kernels: set)).values
      let v = e.v.values
      for c in 0..<40 {
        let mean = (0..<200).reduce(0.0) { $0 + Double(v[$1 * 40 + c]) } / 200
        #expect((0..<3).allSatisfy { abs(Double(o[$0 * 40 + c]) - mean) <= 0.5 / 127 + 0x1p-20 })
      }
    }
  }

  @Test(
    "makes NaN what a NaN or an infinity reaches, and nothing else", arguments: KernelSet.runnable,
    [Float.nan, .infinity, -.infinity])
  func notFinite(set: KernelSet, value: Float) {
    let pool = ThreadPool.of(2, kernels: set)
    let lost = { (e: Int8AttentionExample) in e.forward(pool).values.map(\.isNaN) }
    // Two heads of 8; row 3, channel 10 (of head 1).
    let e = { Int8AttentionExample(queries: 20, keys: 300, heads: 2, size: 8) }
    let (q, k, v) = (e(), e(), e())
    q.q.floats[3 * 16 + 10] = value
    k.k.floats[3 * 16 + 10] = value
    v.v.floats[3 * 16 + 10] = value
    #expect(lost(q) == (0..<320).map { $0 / 16 == 3 && $0 % 16 >= 8 })
    #expect(lost(k) == (0..<320).map { $0 % 16 >= 8 })
    #expect(lost(v) == (0..<320).map { $0 % 16 == 10 })
    #expect(!lost(e()).contains(true))
  }
}

@Suite("Softmax and values of int8 attention") struct Int8AttentionKernelTests {
  static let others = KernelSet.runnable.filter { $0.name != "scalar" }

  /// Rows × keys of values as the set wants them, from the same bytes.
  private func values(_ rows: Int, _ keys: Int, _ set: KernelSet) -> (memory: FencedBytes, stride: Int) {
    let width = Int(set.table.pointee.value_bytes)
    let memory = FencedBytes(rows * keys * width)
    for (i, x) in Random(5).floats(rows * keys).enumerated() {
      let whole = Int8(x * 127)
      if width == 1 {
        memory.bytes[i] = UInt8(bitPattern: whole)
      } else {
        UnsafeMutableRawPointer(memory.bytes).assumingMemoryBound(to: Int16.self)[i] = Int16(whole)
      }
    }
    return (memory, keys * width)
  }

  /// Sums `[rows][columns]` and states of two tiles, one after the other.
  private func run(
    _ set: KernelSet, rows: Int, columns: Int, keys: Int, reach: Float
  ) -> (sums: [Float], states: [Float]) {
    let table = set.table.pointee
    let padded = (keys + 3) / 4 * 4
    let panels = Buffer([columns / 16 * padded * 32], element: .s8)
    let (sums, factors) = (FencedRow(rows * columns, seed: 7), FencedRow(columns, seed: 8))
    let states = FencedRow(columns * 2, seed: 9)
    let slopes = Random(10).floats(columns).map { abs($0) * 4000 }
    let scales = Random(11).floats(rows)
    for i in 0..<columns * 2 { states.floats[i] = i % 32 < 16 ? -.infinity : 0 }
    let v = values(rows, padded, set)
    for tile in 0..<2 {
      let scores = FencedRow(keys * columns, seed: UInt64(12 + tile))
      for i in 0..<keys * columns { scores.floats[i] *= reach * Float(1 + tile) }
      for j in stride(from: 0, to: columns, by: 16) {
        table.softmax_panel(
          keys, scores.floats + j, columns, Array(slopes[j..<j + 16]), states.floats + 2 * j,
          factors.floats + j, panels.address + j * 2 * padded)
      }
      table.weigh_values(
        rows, columns, padded, v.memory.bytes, v.stride, scales, panels.address, padded * 32,
        tile == 0 ? nil : UnsafePointer(factors.floats), sums.floats, columns)
    }
    return (sums.values, states.values)
  }

  @Test("rows before them are quantized as rows of layers are", arguments: KernelSet.runnable, [1, 3, 16])
  func packing(set: KernelSet, rows: Int) {
    let table = set.table.pointee
    for n in [1, 3, 4, 15, 16, 17, 40, 63, 64, 160, 255, 256, 257, 300, 520] {
      let (groups, stride) = ((n + 3) / 4, n + 5)
      let x = Random(UInt64(n)).floats(rows * stride)
      let shift = Random(7).floats(n)
      var panel = [Int8](repeating: 1, count: 64 + groups * 64)
      var (scales, keyScales) = ([Float](repeating: 1, count: 16), [Float](repeating: 1, count: rows))
      var keys = [UInt8](repeating: 1, count: rows * groups * 4)
      table.pack_queries(rows, n, x, stride, &scales, &panel)
      table.pack_keys(rows, n, x, stride, shift, 128, &keys, &keyScales)
      let sums = panel.withUnsafeBytes { Array($0.prefix(64).bindMemory(to: Int32.self)) }
      for r in 0..<16 {
        let row = r < rows ? Array(x[r * stride..<r * stride + n]) : [Float](repeating: 0, count: n)
        let (q, scale) = quantizedRows(row, columns: n)
        #expect(scale[0] == scales[r] && q.reduce(0, +) == Int(sums[r]))
        #expect(
          (0..<groups * 4).allSatisfy {
            Int(panel[64 + $0 / 4 * 64 + r * 4 + $0 % 4]) == ($0 < n ? q[$0] : 0)
          })
        guard r < rows else { continue }
        let key = quantizedRows(zip(row, shift).map { $0 + $1 }, columns: n)
        #expect(key.scales[0] == keyScales[r])
        #expect(
          (0..<groups * 4).allSatisfy {
            Int(keys[r * groups * 4 + $0]) == 128 + ($0 < n ? key.values[$0] : 0)
          })
      }
    }
  }

  @Test("have the scalar twin's bits", arguments: others, [1, 2, 3, 4, 5, 8, 19, 64, 192])
  func twins(set: KernelSet, keys: Int) {
    for columns in [16, 32] {
      for rows in Array(1...13) + [40] {
        let (one, other) = (
          run(set, rows: rows, columns: columns, keys: keys, reach: 2),
          run(KernelSet.named("scalar")!, rows: rows, columns: columns, keys: keys, reach: 2)
        )
        #expect(one.sums == other.sums && one.states == other.states)
      }
    }
  }

  @Test("sums of values and of probabilities agree with double", arguments: KernelSet.runnable, [1, 7, 192])
  func double(set: KernelSet, keys: Int) {
    // One channel whose values are all 1 sums the probabilities: C/scale is l, to the rounding of two tiles.
    let table = set.table.pointee
    let padded = (keys + 3) / 4 * 4
    let panel = Buffer([padded * 32], element: .s8)
    let width = Int(table.value_bytes)
    let ones = FencedBytes(padded * width)
    for k in 0..<padded { ones.bytes[k * width] = 1 }
    if width == 2 { for k in 0..<padded { ones.bytes[2 * k + 1] = 0 } }
    let (sums, factors, states) = (FencedRow(16, seed: 1), FencedRow(16, seed: 2), FencedRow(32, seed: 3))
    for i in 0..<32 { states.floats[i] = i < 16 ? -.infinity : 0 }
    let slope: Float = 2048 * 3
    let scores = Random(4).floats(keys * 16)
    table.softmax_panel(
      keys, scores, 16, [Float](repeating: slope, count: 16), states.floats, factors.floats, panel.address)
    table.weigh_values(
      1, 16, padded, ones.bytes, padded * width, [1], panel.address, padded * 32, nil, sums.floats, 16)
    for j in 0..<16 {
      let column = (0..<keys).map { Double(scores[$0 * 16 + j]) }
      let top = column.max()!
      let wanted = column.map { 0x1p14 * exp2(-1.0 / 2048 + 3 * ($0 - top)) }
      // 1.3 parts of 2^13 for the polynomial, 1.4 for half a step, 1/2 for the rounding to whole numbers.
      let tolerance = wanted.reduce(0) { $0 + 2.7 * 0x1p-13 * $1 + 0.5 }
      #expect(sums.floats[j] == states.floats[16 + j])
      #expect(abs(Double(sums.floats[j]) - wanted.reduce(0, +)) <= tolerance)
      #expect(states.floats[j] == Float(top))
    }
  }
}

/// Operands, and what attention makes of them in double: exactly, and after the rounding that the kernels do.
struct Int8AttentionExample {
  var queries: Int, keys: Int, heads: Int, size: Int
  var q: Buffer, k: Buffer, v: Buffer

  init(queries: Int, keys: Int, heads: Int, size: Int, magnitude: Float = 1) {
    (self.queries, self.keys, self.heads, self.size) = (queries, keys, heads, size)
    let c = heads * size
    q = Buffer(random: [queries, c], seed: 1, scale: magnitude)
    (k, v) = (Buffer(random: [keys, c], seed: 2, scale: magnitude), Buffer(random: [keys, c], seed: 3))
  }

  func forward(_ pool: ThreadPool) -> Buffer {
    let o = Buffer([queries, heads * size])
    withScratch(int8AttentionScratchBytes(q: q.type, k: k.type, heads: heads, threads: pool.threads)) {
      int8Attention(q.ref, k: k.ref, v: v.ref, heads: heads, into: o.ref, scratch: $0, pool)
    }
    return o
  }

  var exact: [Double] { softmax(q.doubles, k.doubles, v.doubles).o }

  /// The softmax of the rounded operands, and how far the kernels may be from it.
  var reference: (o: [Double], tolerance: [Double]) {
    let c = heads * size
    let (q, k, v) = (self.q.values, self.k.values, self.v.values)
    func each(_ rows: Int, _ values: (Int, Int) -> [Float]) -> [Double] {
      var x = [Double](repeating: 0, count: rows * c)
      for row in 0..<rows {
        for head in 0..<heads {
          let (whole, scale) = quantizedRows(values(row, head), columns: size)
          for d in 0..<size { x[row * c + head * size + d] = Double(whole[d]) * Double(scale[0]) }
        }
      }
      return x
    }
    let centers = (0..<c).map { channel -> Float in
      let samples = min(64, keys)
      let sum = (0..<samples).reduce(Float(0)) { $0 + k[$1 * keys / samples * c + channel] }
      return sum * (-1 / Float(samples))
    }
    let roundQ = each(queries) { row, head in
      Array(q[row * c + head * size..<row * c + head * size + size])
    }
    let roundK = each(keys) { row, head in
      (head * size..<head * size + size).map { k[row * c + $0] + centers[$0] }
    }
    var roundV = [Double](repeating: 0, count: keys * c)
    for first in stride(from: 0, to: keys, by: 192) {
      for channel in 0..<c {
        let tile = first..<min(keys, first + 192)
        let (whole, scale) = quantizedRows(tile.map { v[$0 * c + channel] }, columns: tile.count)
        for (i, key) in tile.enumerated() { roundV[key * c + channel] = Double(whole[i]) * Double(scale[0]) }
      }
    }
    let result = softmax(roundQ, roundK, roundV)
    // A probability is off by 2.7 parts of 2^13, and by half a whole number where the row's largest is 2^14 less one
    // step; numerator and denominator of o both are. 2^−16 for the roundings of float.
    let largest = roundV.map(abs).max()!
    let halfStep = Double(keys) * 0.5001 * 0x1p-14
    let tolerance = (0..<queries * c).map { i -> Double in
      let top: Double = result.tops[i / c * heads + i % c / size]
      let relative: Double = 2.7 * 0x1p-13 + halfStep * top + 0x1p-16
      return 2 * largest * relative
    }
    return (result.o, tolerance)
  }

  /// o, and the largest probability of every query and head
  private func softmax(_ q: [Double], _ k: [Double], _ v: [Double]) -> (o: [Double], tops: [Double]) {
    let c = heads * size
    var (o, tops) = ([Double](repeating: 0, count: queries * c), [Double]())
    for i in 0..<queries {
      for h in 0..<heads {
        let a = i * c + h * size
        let s = (0..<keys).map { j -> Double in
          let b = j * c + h * size
          return (0..<size).reduce(0) { $0 + q[a + $1] * k[b + $1] } / Double(size).squareRoot()
        }
        let top = s.max()!
        let p = s.map { exp($0 - top) }
        let sum = p.reduce(0, +)
        tops.append(1 / sum)
        for j in 0..<keys { for d in 0..<size { o[a + d] += p[j] / sum * v[j * c + h * size + d] } }
      }
    }
    return (o, tops)
  }
}
