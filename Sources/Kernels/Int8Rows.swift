import CKernels
import Tensors

/// Rows (tokens, or the pixels of an image) as bytes, each with a scale of its own:
///
///     x[r][k] ≈ scales[r]·(bytes[r][k] − zero),  |x − …| ≤ scales[r]/2
///
/// Rows are padded to a multiple of 4 bytes, the scales lie behind them. `zero` is the byte that the kernel
/// set wants for 0 (128 where its instruction multiplies unsigned by signed), so only pools of that set
/// can read what one wrote. Memory is somebody else's, valid for one call.
package struct Int8Rows {
  /// The shape of the floats, `[…, K]`.
  package let shape: [Int]
  package let bytes: UnsafeMutablePointer<UInt8>
  /// max|x|/127 of every row; 0 for a row of zeros, NaN for one that holds an infinity or NaN.
  package let scales: UnsafeMutablePointer<Float>
  /// Bytes from one row to the next.
  package let rowBytes: Int
  package let rows: Int

  /// - Parameters:
  ///   - type: of the floats.
  ///   - address: `byteCount(type)` bytes.
  package init(_ type: TensorType, at address: UnsafeMutableRawPointer) {
    var cursor = ScratchCursor(address)
    let size = Self.size(type)
    (shape, rows, rowBytes) = (type.shape, size.rows, size.rowBytes)
    bytes = cursor.take(rows * rowBytes, of: UInt8.self)
    scales = cursor.take(rows, of: Float.self)
  }

  private init(_ rows: Int8Rows, lines: Range<Int>) {
    let line = rows.shape.dropFirst().dropLast().reduce(1, *)
    shape = [lines.count] + rows.shape.dropFirst()
    (self.rows, rowBytes) = (lines.count * line, rows.rowBytes)
    bytes = rows.bytes + lines.lowerBound * line * rowBytes
    scales = rows.scales + lines.lowerBound * line
  }

  /// Some of its lines, where x is a picture, or rows.
  package func lines(_ range: Range<Int>) -> Int8Rows { Int8Rows(self, lines: range) }

  /// Moves the `count` lines from `first` on to the front.
  package func keep(_ count: Int, from first: Int) {
    let kept = lines(first..<first + count)
    bytes.update(from: kept.bytes, count: kept.rows * rowBytes)
    scales.update(from: kept.scales, count: kept.rows)
  }

  package static func byteCount(_ type: TensorType) -> Int {
    let (rows, rowBytes) = size(type)
    return ScratchCursor.bytes([rows * rowBytes, rows * 4])
  }

  private static func size(_ type: TensorType) -> (rows: Int, rowBytes: Int) {
    let columns = type.shape.last!
    return (columns == 0 ? 0 : type.count / columns, (columns + 3) / 4 * 4)
  }
}

/// Quantizes every row symmetrically to −127…127: q = round(x·127/max|x|), ties to even.
///
/// x `[…, K]` → rows of the same shape, on every kernel set the same values.
package func quantizeRows(_ x: TensorRef, into rows: Int8Rows, _ pool: ThreadPool) {
  precondition(x.shape == rows.shape, "quantizeRows: \(x.shape) into \(rows.shape)")
  let quantize = pool.kernels.table.pointee.quantize_row
  let zero = pool.kernels.table.pointee.s8_zero
  let (from, columns) = (UnsafePointer(x.floats), x.shape.last!)
  byRows(rows.rows, columns, pool) { row in
    rows.scales[row] = quantize(columns, from + row * columns, zero, rows.bytes + row * rows.rowBytes)
  }
}
