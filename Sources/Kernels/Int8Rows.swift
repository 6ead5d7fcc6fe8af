import CKernels
import Tensors

/// Rows (tokens, or the pixels of an image) as bytes, each with a scale of its own:
///
///     x[r][k] ≈ Σ_p scales[r, p]·(bytes[r, p][k] − zero),  |x − …| ≤ scales[r, last]/2
///
/// One plane p of bytes has steps of max|x|/127. Of two, which is 16 bits for a value, the second has what rounding left
/// of the first in steps of 1/254 of those; the planes of a row lie one behind the other. Rows are padded to a multiple
/// of 4 bytes, the scales lie behind all of them. `zero` is the byte that the kernel
/// set wants for 0 (128 where its instruction multiplies unsigned by signed), so only pools of that set
/// can read what one wrote. Memory is somebody else's, valid for one call.
package struct Int8Rows {
  /// The shape of the floats, `[…, K]`.
  package let shape: [Int]
  package let bytes: UnsafeMutablePointer<UInt8>
  /// max|x|/127 of every row, 1/254 of that for its second plane; 0 for a row of zeros, NaN for one that holds an
  /// infinity or NaN.
  package let scales: UnsafeMutablePointer<Float>
  /// Bytes of a plane of a row.
  package let rowBytes: Int
  package let rows: Int
  /// 1 or 2.
  package let planes: Int

  /// - Parameters:
  ///   - type: of the floats.
  ///   - address: `byteCount(type, planes: planes)` bytes.
  package init(_ type: TensorType, planes: Int, at address: UnsafeMutableRawPointer) {
    precondition(planes == 1 || planes == 2, "\(planes) planes of bytes")
    var cursor = ScratchCursor(address)
    let size = Self.size(type)
    (shape, rows, rowBytes, self.planes) = (type.shape, size.rows, size.rowBytes, planes)
    bytes = cursor.take(rows * planes * rowBytes, of: UInt8.self)
    scales = cursor.take(rows * planes, of: Float.self)
  }

  /// Of one plane.
  package init(_ type: TensorType, at address: UnsafeMutableRawPointer) {
    self.init(type, planes: 1, at: address)
  }

  private init(_ rows: Int8Rows, lines: Range<Int>) {
    let line = rows.shape.dropFirst().dropLast().reduce(1, *)
    shape = [lines.count] + rows.shape.dropFirst()
    (self.rows, rowBytes, planes) = (lines.count * line, rows.rowBytes, rows.planes)
    bytes = rows.bytes + lines.lowerBound * line * planes * rowBytes
    scales = rows.scales + lines.lowerBound * line * planes
  }

  /// Some of its lines, where x is a picture, or rows.
  package func lines(_ range: Range<Int>) -> Int8Rows { Int8Rows(self, lines: range) }

  /// Moves the `count` lines from `first` on to the front.
  package func keep(_ count: Int, from first: Int) {
    let kept = lines(first..<first + count)
    bytes.update(from: kept.bytes, count: kept.rows * planes * rowBytes)
    scales.update(from: kept.scales, count: kept.rows * planes)
  }

  package static func byteCount(_ type: TensorType) -> Int { byteCount(type, planes: 1) }

  package static func byteCount(_ type: TensorType, planes: Int) -> Int {
    let (rows, rowBytes) = size(type)
    return ScratchCursor.bytes([rows * planes * rowBytes, rows * planes * 4])
  }

  /// Quantizes one row.
  func quantize(_ row: Int, _ x: UnsafePointer<Float>, _ set: UnsafePointer<kernel_set>) {
    let (columns, zero, place) = (shape.last!, set.pointee.s8_zero, row * planes)
    let to = bytes + place * rowBytes
    guard planes == 2 else {
      scales[place] = set.pointee.quantize_row(columns, x, zero, to)
      return
    }
    scales[place] = set.pointee.quantize_row_16(columns, x, zero, to, to + rowBytes)
    scales[place + 1] = scales[place] / 254
  }

  private static func size(_ type: TensorType) -> (rows: Int, rowBytes: Int) {
    let columns = type.shape.last!
    return (columns == 0 ? 0 : type.count / columns, (columns + 3) / 4 * 4)
  }
}

/// Quantizes every row symmetrically to −127…127: q = round(x·127/max|x|), ties to even, and what this leaves where rows
/// have two planes.
///
/// x `[…, K]` → rows of the same shape, on every kernel set the same values.
package func quantizeRows(_ x: TensorRef, into rows: Int8Rows, _ pool: ThreadPool) {
  precondition(x.shape == rows.shape, "quantizeRows: \(x.shape) into \(rows.shape)")
  let (from, columns, set) = (UnsafePointer(x.floats), x.shape.last!, pool.kernels.table)
  byRows(rows.rows, columns, pool) { row in rows.quantize(row, from + row * columns, set) }
}
