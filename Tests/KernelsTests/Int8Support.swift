import CKernels
import Kernels
import Tensors

/// An int8 weight that owns its memory, and the numbers in it by formulas of its own.
final class QuantizedWeight {
  /// `[N, K]` or `[O, I, kh, kw]`
  let checkpointShape: [Int]
  let values: [Float], scales: Buffer, panels: Buffer

  init(_ checkpointShape: [Int], _ values: [Float]) {
    (self.checkpointShape, self.values) = (checkpointShape, values)
    let shape =
      checkpointShape.count == 4
      ? [checkpointShape[0], checkpointShape[2], checkpointShape[3], checkpointShape[1]] : checkpointShape
    panels = Buffer(shape, element: .s8, layout: .panels)
    scales = Buffer([checkpointShape[0]])
    let scale = UnsafeMutableBufferPointer(start: scales.floats, count: checkpointShape[0])
    values.withUnsafeBufferPointer {
      maxSizeScales($0, into: scale)
      packInt8Panels(
        $0, scales: UnsafeBufferPointer(scale), checkpointShape: checkpointShape,
        rows: 0..<checkpointShape[0],
        into: UnsafeMutableRawBufferPointer(start: panels.address, count: panels.type.byteCount))
    }
  }

  convenience init(random checkpointShape: [Int], seed: UInt64) {
    self.init(checkpointShape, Random(seed).floats(checkpointShape.reduce(1, *)))
  }

  var weight: Int8Weight { Int8Weight(panels: panels.ref, scales: scales.ref) }

  /// round(w/scale), in the order of the checkpoint.
  var quantized: [Int] {
    let k = values.count / checkpointShape[0]
    return values.indices.map {
      let scale = scales.floats[$0 / k]
      return scale == 0 ? 0 : Int((values[$0] / scale).rounded(.toNearestOrEven))
    }
  }
}

/// Rows by the formula of `quantize_row_fn`, without the set's offset.
func quantizedRows(_ x: [Float], columns: Int) -> (values: [Int], scales: [Float]) {
  var (values, scales) = ([Int](), [Float]())
  for start in stride(from: 0, to: x.count, by: columns) {
    let row = x[start..<start + columns]
    let size = row.map(abs).max()!
    scales.append(size / 127)
    values += row.map { size == 0 ? 0 : Int(($0 * (127 / size)).rounded(.toNearestOrEven)) }
  }
  return (values, scales)
}

/// Floats quantized by a pool's kernels, in memory of their own.
final class QuantizedRows {
  let rows: Int8Rows
  private let memory: Buffer

  /// `rows` points into memory that ends with this object.
  init(_ x: Buffer, planes: Int = 1, _ pool: ThreadPool) {
    memory = Buffer([Int8Rows.byteCount(x.type, planes: planes)], element: .s8)
    rows = Int8Rows(x.type, planes: planes, at: memory.address)
    quantizeRows(x.ref, into: rows, pool)
  }
}

/// A number of bytes, a multiple of 4, that ends before a forbidden page.
final class FencedBytes {
  private let row: FencedRow
  let bytes: UnsafeMutablePointer<UInt8>
  let count: Int

  init(_ count: Int) {
    self.count = count
    row = FencedRow(count / 4, seed: 1)
    bytes = UnsafeMutableRawPointer(row.floats).assumingMemoryBound(to: UInt8.self)
  }

  var values: [UInt8] { (0..<count).map { bytes[$0] } }
}
