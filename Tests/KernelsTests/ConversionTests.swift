import CKernels
import Kernels
import Tensors
import TestSupport
import Testing

@Suite("Conversion and packing") struct ConversionTests {
  @Test("widens every half exactly", arguments: KernelSet.runnable)
  func halves(set: KernelSet) {
    let patterns = (0..<65_535).map { UInt16($0) }  // an odd number: the tail is used
    var floats = [Float](repeating: 0, count: patterns.count)
    set.table.pointee.widen_f16(patterns.count, patterns, &floats)
    for (pattern, value) in zip(patterns, floats) {
      let half = Float(Float16(bitPattern: pattern))
      #expect(value == half || (value.isNaN && half.isNaN), "\(pattern)")
    }
  }

  @Test("widens every bfloat16 exactly", arguments: KernelSet.runnable)
  func bfloats(set: KernelSet) {
    let patterns = (0..<65_535).map { UInt16($0) }
    var floats = [Float](repeating: 0, count: patterns.count)
    set.table.pointee.widen_bf16(patterns.count, patterns, &floats)
    for (pattern, value) in zip(patterns, floats) { #expect(value.bitPattern == UInt32(pattern) << 16) }
  }

  /// Every half, what lies in the middle between it and the next, and the floats beside that.
  @Test("narrows to the nearest half, ties to even", arguments: KernelSet.runnable)
  func narrows(set: KernelSet) {
    var floats: [Float] = []
    for pattern in UInt16(0)..<0x7c00 {
      let half = Float(Float16(bitPattern: pattern))
      // The next half of the largest would be 65536.
      let next = pattern == 0x7bff ? 65536 : Float(Float16(bitPattern: pattern + 1))
      let middle = (half + next) / 2
      floats += [half, middle.nextDown, middle, middle.nextUp]
    }
    floats += [0x1p-26, 0x1p-149, .leastNormalMagnitude, 65519.9, 65520, 1e30, .infinity]
    floats += floats.map { -$0 } + [.nan, Float(bitPattern: 0xff80_0001)]
    var halves = [UInt16](repeating: 0, count: floats.count)
    set.table.pointee.narrow_f16(floats.count, floats, &halves)
    for (float, pattern) in zip(floats, halves) {
      let half = Float16(bitPattern: pattern)
      #expect(half.bitPattern == Float16(float).bitPattern || (half.isNaN && float.isNaN), "\(float)")
    }
  }

  @Test("narrows a weight in the same way on any thread, and says what is lost", arguments: [1, 3])
  func narrowing(threads: Int) {
    let floats = Random(3).floats(20_000) + [70_000]
    var halves = [UInt16](repeating: 0, count: floats.count)
    var energies = QuantizationEnergies()
    let largest = floats.withUnsafeBytes {
      narrowToHalf($0, element: .f32, into: &halves, &energies, ThreadPool.of(threads))
    }
    #expect(largest == 70_000 && halves == floats.map { Float16($0).bitPattern })
    #expect(energies.error == .infinity)
    var (signal, error) = (0.0, 0.0)
    for float in floats.dropLast() {
      signal += Double(float) * Double(float)
      error += Double(float - Float(Float16(float))) * Double(float - Float(Float16(float)))
    }
    energies = QuantizationEnergies()
    _ = floats.dropLast().withUnsafeBytes {
      narrowToHalf($0, element: .f32, into: &halves, &energies, ThreadPool.of(threads))
    }
    // The order of 20,000 additions in double.
    #expect(abs(energies.signal - signal) <= 20_000 * 0x1p-53 * signal)
    #expect(abs(energies.error - error) <= 20_000 * 0x1p-53 * error && error > 0)
  }

  @Test("reads and writes nothing behind a short row", arguments: KernelSet.runnable, 0...17)
  func tails(set: KernelSet, count: Int) {
    let patterns = (0..<count).map { UInt16($0 + 0x3c00) }
    let floats = Buffer([count])
    set.table.pointee.widen_f16(count, patterns, floats.floats)
    set.table.pointee.widen_bf16(count, patterns, floats.floats)
    var halves = [UInt16](repeating: 7, count: count + 1)
    let row = FencedRow(count, seed: 1)
    withExtendedLifetime(row) { set.table.pointee.narrow_f16(count, row.floats, &halves) }
    #expect(halves[count] == 7)
  }

  @Test("transposes 16 × 16 with any row distance", arguments: KernelSet.runnable)
  func transposes(set: KernelSet) {
    let (ldx, ldy) = (19, 23)
    let x = (0..<16 * ldx).map { Float($0) }
    var y = [Float](repeating: -1, count: 16 * ldy)
    set.table.pointee.transpose_16x16(x, ldx, &y, ldy)
    for i in 0..<16 {
      for j in 0..<ldy { #expect(y[i * ldy + j] == (j < 16 ? x[j * ldx + i] : -1)) }
    }
  }

  @Test("packs rows of any range into panels", arguments: [ElementType.f16, .bf16, .f32], [1, 16, 37])
  func packs(element: ElementType, n: Int) {
    let (channels, kernel) = (5, 3)
    let rowElements = channels * kernel * kernel
    let source = (0..<n * rowElements * element.byteCount).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    let panels = Buffer([n, kernel, kernel, channels], element: element, layout: .panels)
    // In two parts, as a reader of a large file would.
    let cut = n > 16 ? 16 : n
    for rows in [0..<cut, cut..<n] where !rows.isEmpty {
      source.withUnsafeBytes { bytes in
        let rowBytes = rowElements * element.byteCount
        packPanels(
          UnsafeRawBufferPointer(rebasing: bytes[rows.lowerBound * rowBytes..<rows.upperBound * rowBytes]),
          element: element, checkpointShape: [n, channels, kernel, kernel], rows: rows,
          into: UnsafeMutableRawBufferPointer(
            start: panels.address + rows.lowerBound * rowBytes,
            count: (rows.count + 15) / 16 * 16 * rowBytes), ThreadPool.of(2))
      }
    }
    for row in 0..<(n + 15) / 16 * 16 {
      for tap in 0..<kernel * kernel {
        for c in 0..<channels {
          for byte in 0..<element.byteCount {
            let k = tap * channels + c
            let at = ((row / 16 * rowElements + k) * 16 + row % 16) * element.byteCount + byte
            let from = ((row * channels + c) * kernel * kernel + tap) * element.byteCount + byte
            let wanted = row < n ? source[from] : 0
            #expect(panels.address.load(fromByteOffset: at, as: UInt8.self) == wanted)
          }
        }
      }
    }
  }
}
