import Files
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
  private let memory: PackingMemory

  /// - Parameter values: about so many are read at a time.
  init(
    _ weight: Weight, _ source: String, _ checkpoint: Checkpoint, values: Int, _ memory: PackingMemory
  ) throws(WeightFileError) {
    (self.weight, self.source, self.checkpoint, self.memory) = (weight, source, checkpoint, memory)
    element = try checkpoint.element(of: source)
    let rows = weight.shape.first ?? 1
    rowsPerBlock = min(
      max(values / max(weight.shape.dropFirst().reduce(1, *), 1) / 16, 1) * 16, (rows + 15) / 16 * 16)
  }

  private var rowValues: Int { weight.shape.dropFirst().reduce(1, *) }

  /// The rows as `element`.
  func forEach(_ body: (Range<Int>, UnsafeRawBufferPointer) throws -> Void) throws {
    let window = memory.source.bytes(rowsPerBlock * rowValues * element.byteCount)
    let count = weight.shape.first ?? 1
    for start in stride(from: 0, to: count, by: rowsPerBlock) {
      try Task.checkCancellation()
      let rows = start..<min(start + rowsPerBlock, count)
      let wasCached = try checkpoint.isCached(source, rows: rows)
      try body(rows, try checkpoint.read(rows, of: source, into: window))
      if !wasCached { try checkpoint.dropCache(of: source, rows: rows) }
    }
  }

  /// The rows as f16 or f32; adds what is lost.
  ///
  /// - Throws: `HalfOverflow` where a value has no half, `notFinite` where one is no number.
  func forEach(
    as wanted: ElementType, _ energies: inout QuantizationEnergies, _ pool: ThreadPool,
    _ body: (Range<Int>, UnsafeRawBufferPointer) throws -> Void
  ) throws {
    try forEach { rows, bytes in
      guard isFinite(bytes) else {
        throw WeightFileError.notFinite(file: checkpoint.label, tensor: checkpoint.ownName(of: source))
      }
      if wanted == element { return try body(rows, bytes) }
      let converted = memory.converted.bytes(rows.count * rowValues * wanted.byteCount)
      if wanted == .f16 {
        let largest = narrowToHalf(
          bytes, element: element, into: converted.baseAddress!.assumingMemoryBound(to: UInt16.self),
          &energies, pool)
        if largest > Float(Float16.greatestFiniteMagnitude) { throw HalfOverflow() }
      } else {
        convertToFloat(
          bytes, element: element, into: converted.baseAddress!.assumingMemoryBound(to: Float.self))
      }
      try body(rows, UnsafeRawBufferPointer(converted))
    }
  }
}

extension WeightBlocks {
  /// Whether all are numbers: an exponent of ones alone means an infinity or none.
  private func isFinite(_ bytes: UnsafeRawBufferPointer) -> Bool {
    func largest<Bits: FixedWidthInteger>(_: Bits.Type) -> Bits {
      // The sign left out, sizes are in the order of their bits.
      bytes.withMemoryRebound(to: Bits.self) { $0.reduce(0) { max($0, $1 & Bits.max >> 1) } }
    }
    return switch element {
    case .f32: largest(UInt32.self) < Float.infinity.bitPattern
    case .f16: largest(UInt16.self) < Float16.infinity.bitPattern
    case .bf16: largest(UInt16.self) < UInt16(Float.infinity.bitPattern >> 16)
    case .s8, .i32: true
    }
  }
}

/// A value beyond 65504.
struct HalfOverflow: Error {}

/// What is held of a weight while it is packed, the same memory for all of them: an allocator that is asked for
/// megabytes of every size keeps several times as much.
final class PackingMemory {
  /// Rows as they are read, and what they are converted to.
  let source = ReusedBuffer(), converted = ReusedBuffer()
  let scratch = ReusedBuffer()
}
