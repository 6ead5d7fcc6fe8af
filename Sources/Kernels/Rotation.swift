import CKernels
import Tensors

/// Whether the rows of a weight with so many input channels can be rotated in groups of `width`: a power of
/// 4 from 16 on that divides them.
package func canRotate(channels: Int, width: Int) -> Bool {
  width >= 16 && width.nonzeroBitCount == 1 && width.trailingZeroBitCount % 2 == 0 && channels > 0
    && channels % width == 0
}

/// Rotates consecutive groups of the last dimension in place by the normalised Hadamard matrix, which is
/// symmetric and its own inverse:
///
///     y[g·w + i] = Σ_j (−1)^(bits of i & j)·x[g·w + j]/√w
///
/// A product keeps its value when its rows and its weight are both rotated, W·x = (W·H)·(H·x), while a channel
/// far larger than the others is spread over its group: both are quantized with less error (QuaRot, Ashkboos
/// et al. 2024).
///
/// x `[…, K]`
package func rotateRows(_ x: TensorRef, width: Int, _ pool: ThreadPool) {
  rotateRows(x, width: width, into: x, pool)
}

/// The same into y of x's shape.
package func rotateRows(_ x: TensorRef, width: Int, into y: TensorRef, _ pool: ThreadPool) {
  let (rows, k) = x.rowsAndColumns
  precondition(
    canRotate(channels: k, width: width) && y.shape == x.shape,
    "rotation of \(x.shape) in groups of \(width) into \(y.shape)")
  let (hadamard, from, to) = (pool.kernels.table.pointee.hadamard, x.floats, y.floats)
  byRows(rows, k, pool) { row in hadamard(k, width, from + row * k, to + row * k) }
}

/// Folds the rotation of a layer's input into consecutive rows of its weight: W·H, the channels of every tap
/// by themselves.
///
/// - Parameters:
///   - rows: whole rows in the order of the checkpoint, `[rows][channels][taps]`, rotated in place.
///   - checkpointShape: `[N, K]`, or `[O, I, kh, kw]`.
package func rotateWeight(
  _ rows: UnsafeMutableBufferPointer<Float>, checkpointShape: [Int], width: Int, _ pool: ThreadPool
) {
  let (channels, taps) = (checkpointShape[1], checkpointShape.dropFirst(2).reduce(1, *))
  precondition(
    canRotate(channels: channels, width: width) && rows.count % (channels * taps) == 0,
    "rotation of \(rows.count) values of \(checkpointShape) in groups of \(width)")
  guard let first = rows.baseAddress else { return }
  let hadamard = pool.kernels.table.pointee.hadamard
  byRows(rows.count / (channels * taps), channels * taps, pool) { index in
    let row = first + index * channels * taps
    guard taps > 1 else { return hadamard(channels, width, row, row) }
    withUnsafeTemporaryAllocation(of: Float.self, capacity: channels) { tap in
      let values = tap.baseAddress!
      for t in 0..<taps {
        for c in 0..<channels { values[c] = row[c * taps + t] }
        hadamard(channels, width, values, values)
        for c in 0..<channels { row[c * taps + t] = values[c] }
      }
    }
  }
}
