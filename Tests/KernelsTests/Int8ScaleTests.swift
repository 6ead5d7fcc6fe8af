import CKernels
import Kernels
import TestSupport
import Testing

@Suite("int8 scales") struct Int8ScaleTests {
  private let scalar = KernelSet.named("scalar")!.table.pointee

  @Test("largest size and error of a row have the bits of the scalar twin", arguments: KernelSet.runnable)
  func twins(set: KernelSet) {
    for n in TwinTests.lengths + [1000] {
      let x = FencedRow(n, seed: UInt64(n))
      withExtendedLifetime(x) {
        for by: Float in [127, 300, 1e-3] {
          let error = set.table.pointee.quantization_error(n, x.floats, by)
          #expect(error.bitPattern == scalar.quantization_error(n, x.floats, by).bitPattern, "\(n), \(by)")
        }
        #expect(set.table.pointee.max_size(n, x.floats) == x.values.map(abs).max() ?? 0)
        if n > 0 {
          x.floats[n / 2] = .nan
          #expect(set.table.pointee.max_size(n, x.floats).isNaN)
        }
      }
    }
  }

  @Test("error and energy are those of the formula")
  func formula() {
    for n in [1, 16, 17, 500] {
      let x = Random(UInt64(n)).floats(n)
      for by: Float in [127, 190] {
        var (error, signal) = (0.0, 0.0)
        for value in x {
          let t = value * by
          let d = Double(t) - Double(min(127, max(-127, t.rounded(.toNearestOrEven))))
          (error, signal) = (error + d * d, signal + Double(t) * Double(t))
        }
        // A lane sums n/16 squares in float; a difference of t ≤ 190 and a whole number is exact.
        let tolerance = Double(n / 16 + 3) * unit
        #expect(abs(scalar.quantization_error(n, x, by) - error) <= tolerance * error)
        #expect(abs(energy(n, x, by) - signal) <= tolerance * signal)
      }
    }
  }

  @Test("panels have the bytes of the scalar twin and of the formula", arguments: KernelSet.runnable)
  func panels(set: KernelSet) {
    // Below, at and above a piece of 1024 bytes; sizes with and without a path of their own.
    for (channels, taps) in [(1, 1), (3, 9), (1030, 1), (112, 9), (117, 9), (70, 16), (5, 256), (9, 6)] {
      for rows in [1, 15, 16] {
        var values = Random(UInt64(channels + rows)).floats(rows * channels * taps)
        var scales = (0..<rows).map { Float($0 + 1) * 0x1p-9 }  // the first rows are clipped
        if rows > 2 { scales[2] = 0 }
        values[0] = 2.5 * scales[0]  // a tie
        let groups = (channels + 3) / 4
        let bytes = taps * (64 + groups * 64)
        let panels = [Buffer([bytes], element: .s8), Buffer([bytes], element: .s8)]
        for (table, panel) in zip([scalar, set.table.pointee], panels) {
          table.pack_panel_s8(
            rows, channels, taps, values, scales, panel.address.assumingMemoryBound(to: Int8.self))
        }
        let found = panels.map { Array(UnsafeRawBufferPointer(start: $0.address, count: bytes)) }
        #expect(found[0] == found[1], "\(rows)×\(channels)×\(taps)")

        var wanted = [UInt8](repeating: 0, count: bytes)
        for t in 0..<taps {
          let tap = t * (64 + groups * 64)
          for j in 0..<rows where scales[j] != 0 {
            var sum: Int32 = 0
            for c in 0..<channels {
              let v = (values[(j * channels + c) * taps + t] / scales[j]).rounded(.toNearestOrEven)
              let q = Int8(max(-127, min(127, v)))
              wanted[tap + 64 + c / 4 * 64 + j * 4 + c % 4] = UInt8(bitPattern: q)
              sum += Int32(q)
            }
            withUnsafeBytes(of: sum) { wanted.replaceSubrange(tap + 4 * j..<tap + 4 * j + 4, with: $0) }
          }
        }
        #expect(found[0] == wanted, "\(rows)×\(channels)×\(taps)")
        withExtendedLifetime(panels) {}
      }
    }
  }

  /// Rows with tails of three kinds.
  static func rows(_ kind: Int, _ count: Int, _ k: Int) -> [Float] {
    var random = Random(UInt64(kind * 1000 + k))
    func even() -> Double { (Double(random.next() >> 11) + 0.5) * 0x1p-53 }
    func gauss() -> Double { (0..<12).reduce(-6) { sum, _ in sum + even() } }
    return (0..<count * k).map { _ in
      switch kind {
      case 0: return Float(gauss())
      case 1: return Float(even() < 0.5 ? wide(even()) : -wide(even()))
      default: return Float(gauss() / (0.1 + gauss() * gauss() + gauss() * gauss()))
      }
    }
    func wide(_ u: Double) -> Double { (1 / u).squareRoot() - 1 }
  }

  @Test(
    "the search never does worse than the largest value, and better in sum", arguments: [0, 1, 2],
    [320, 2880])
  func search(kind: Int, k: Int) {
    let count = 40
    let values = Self.rows(kind, count, k)
    var (widest, least) = ([Float](repeating: 0, count: count), [Float](repeating: 0, count: count))
    var energies = [QuantizationEnergies(), QuantizationEnergies()]
    values.withUnsafeBufferPointer { source in
      widest.withUnsafeMutableBufferPointer { maxSizeScales(source, into: $0) }
      least.withUnsafeMutableBufferPointer { leastErrorScales(source, into: $0) }
      for (i, scales) in [widest, least].enumerated() {
        scales.withUnsafeBufferPointer { energies[i].add(source, scales: $0) }
        for row in 0..<count {
          #expect(
            exactError(values[row * k..<(row + 1) * k], least[row]) <= exactError(
              values[row * k..<(row + 1) * k], widest[row]) * 1.0001)
        }
      }
    }
    #expect(
      energies[0].signal == energies[1].signal || abs(energies[0].signal / energies[1].signal - 1) < 1e-4)
    #expect(energies[1].decibels > energies[0].decibels)
    #expect(zip(widest, least).allSatisfy { $1 <= $0 && $1 >= 0.7 * $0 })
    let error = (0..<count).reduce(0.0) { $0 + exactError(values[$1 * k..<($1 + 1) * k], least[$1]) }
    #expect(abs(error / energies[1].error - 1) < 1e-4)  // float sums of k/16 squares
  }

  @Test("scales and energies depend on neither kernel set, threads nor blocks", arguments: KernelSet.runnable)
  func sameBits(set: KernelSet) {
    let (count, k) = (50, 333)
    let values = Self.rows(2, count, k)
    func measure(_ pool: ThreadPool?, block: Int) -> ([Float], QuantizationEnergies) {
      var (scales, energies) = ([Float](repeating: 0, count: count), QuantizationEnergies())
      for start in stride(from: 0, to: count, by: block) {
        let rows = start..<min(count, start + block)
        Array(values[rows.lowerBound * k..<rows.upperBound * k]).withUnsafeBufferPointer { source in
          scales.withUnsafeMutableBufferPointer { all in
            let some = UnsafeMutableBufferPointer(rebasing: all[rows])
            leastErrorScales(source, into: some, pool)
            energies.add(source, scales: UnsafeBufferPointer(some), pool)
          }
        }
      }
      return (scales, energies)
    }
    let reference = measure(ThreadPool.of(1, kernels: .named("scalar")!), block: count)
    for (pool, block) in [
      (ThreadPool.of(2, kernels: set), 16), (ThreadPool.of(1, kernels: set), 50),
    ] {
      #expect(measure(pool, block: block) == reference)
    }
    #expect(measure(nil, block: 7) == reference)
  }

  @Test("a row of zeros has scale 0 and loses nothing, a tiny one loses everything or nothing")
  func degenerate() {
    let tiny = Float.leastNormalMagnitude / 8
    let values: [Float] = [0, 0, 0, 0] + [tiny, 0, -tiny, 0] + [0x1p-60, 0, 0, 0x1p-61]
    var scales: [Float] = [9, 9, 9]
    var energies = QuantizationEnergies()
    values.withUnsafeBufferPointer { source in
      scales.withUnsafeMutableBufferPointer { leastErrorScales(source, into: $0) }
      scales.withUnsafeBufferPointer { energies.add(source, scales: $0) }
    }
    #expect(scales[0] == 0 && scales[1] < tiny / 100)
    #expect(scales[2] > 0x1p-61 / 127 && scales[2] <= 0x1p-60 / 127)
    #expect(energies.signal > 0 && energies.decibels > 40)
  }

  private func exactError(_ row: ArraySlice<Float>, _ scale: Float) -> Double {
    row.reduce(0.0) { sum, w in
      let q = max(-127, min(127, (w / scale).rounded(.toNearestOrEven)))
      let d = Double(w) - Double(scale) * Double(q)
      return sum + d * d
    }
  }
}
