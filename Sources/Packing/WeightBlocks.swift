import Kernels
import NeuralGraph
import Tensors
import WeightStorage

/// The rows of a checkpoint's weight, a block after the other. Leaves in the page cache of the file
/// what was there before.
struct WeightBlocks {
  let weight: Weight
  /// What the checkpoint is read as.
  let element: ElementType
  /// A multiple of 16, so that a block is whole panels.
  let rowsPerBlock: Int
  private let source: String
  private let checkpoint: Checkpoint

  /// - Parameter values: about so many are read at a time.
  init(_ weight: Weight, _ source: String, _ checkpoint: Checkpoint, values: Int) throws(WeightFileError) {
    (self.weight, self.source, self.checkpoint) = (weight, source, checkpoint)
    element = try checkpoint.element(of: source)
    let rows = weight.shape.first ?? 1
    rowsPerBlock = min(
      max(values / max(weight.shape.dropFirst().reduce(1, *), 1) / 16, 1) * 16, (rows + 15) / 16 * 16)
  }

  private var rowValues: Int { weight.shape.dropFirst().reduce(1, *) }

  /// The rows as `element`.
  func forEach(_ body: (Range<Int>, UnsafeRawBufferPointer) throws -> Void) throws {
    let window = UnsafeMutableRawBufferPointer.allocate(
      byteCount: rowsPerBlock * rowValues * element.byteCount, alignment: 64)
    defer { window.deallocate() }
    let count = weight.shape.first ?? 1
    for start in stride(from: 0, to: count, by: rowsPerBlock) {
      try Task.checkCancellation()
      let rows = start..<min(start + rowsPerBlock, count)
      let wasCached = try checkpoint.isCached(source, rows: rows)
      try body(rows, try checkpoint.read(rows, of: source, into: window))
      if !wasCached { try checkpoint.dropCache(of: source, rows: rows) }
    }
  }

  /// The rows as floats.
  private func forEachAsFloats(_ body: (Range<Int>, UnsafeMutableBufferPointer<Float>) throws -> Void) throws
  {
    let floats = UnsafeMutableBufferPointer<Float>.allocate(capacity: rowsPerBlock * rowValues)
    defer { floats.deallocate() }
    try forEach { rows, bytes in
      convertToFloat(bytes, element: element, into: floats.baseAddress!)
      try body(rows, UnsafeMutableBufferPointer(rebasing: floats[..<(rows.count * rowValues)]))
    }
  }

  /// The rows as f16 or f32; adds what is lost.
  func forEach(
    as wanted: ElementType, _ energies: inout QuantizationEnergies,
    _ body: (Range<Int>, UnsafeRawBufferPointer) throws -> Void
  ) throws {
    if wanted == element { return try forEach(body) }
    guard wanted == .f16 else {
      return try forEachAsFloats { try body($0, UnsafeRawBufferPointer($1)) }
    }
    try forEachAsFloats { rows, floats in
      let halves = floats.map { Float16($0) }
      for i in floats.indices {
        let lost = floats[i] - Float(halves[i])
        energies.signal += Double(floats[i] * floats[i])
        energies.error += Double(lost * lost)
      }
      try halves.withUnsafeBytes { try body(rows, $0) }
    }
  }

  /// Whether every value is within the range of sixteen bits.
  func fitHalf() throws -> Bool {
    var largest: Float = 0
    try forEachAsFloats { _, floats in
      for value in floats { largest = max(largest, abs(value)) }
    }
    return largest <= Float(Float16.greatestFiniteMagnitude)
  }
}
