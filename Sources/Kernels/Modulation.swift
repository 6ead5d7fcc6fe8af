import CKernels
import Tensors

/// y = x·(1 + γ) + δ, the same vectors at every pixel (feature-wise modulation, Perez et al. 2018).
///
/// x, y `[H, W, C]` or `[rows, C]`, gamma, delta `[1, C]`; delta may be left out. y may be x.
package func modulate(
  _ x: TensorRef, gamma: TensorRef, delta: TensorRef?, into y: TensorRef, _ pool: ThreadPool
) {
  let (rows, c) = x.rowsAndColumns
  precondition(x.type == y.type, "modulate: \(x.type) into \(y.type)")
  let (from, to, g) = (x.floats, y.floats, gamma.vector(c, "gamma"))
  let normalize = pool.kernels.table.pointee.normalize
  withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * c) { vectors in
    let (factor, zeros) = (vectors.baseAddress!, vectors.baseAddress! + c)
    for i in 0..<c { (factor[i], zeros[i]) = (1 + g[i], 0) }
    let start = delta?.vector(c, "delta") ?? zeros
    // A normalization by mean 0 and deviation 1.
    var (mean, rsigma): (Float, Float) = (0, 1)
    byRows(rows, c, pool) { row in
      normalize(c, from + row * c, &mean, &rsigma, 0, factor, start, to + row * c)
    }
  }
}

/// dγ = Σ dy·x and dδ = Σ dy over the pixels, in double in their order: x, dy `[…, C]` → dGamma, dDelta of C values
package func modulateDParameters(
  _ x: TensorRef, dy: TensorRef, intoGamma dGamma: TensorRef, delta dDelta: TensorRef, _ pool: ThreadPool
) {
  let c = x.rowsAndColumns.columns
  precondition(x.shape == dy.shape, "modulateDParameters: \(x.shape), \(dy.shape)")
  let (toGamma, toDelta) = (dGamma.vector(c, "dGamma"), dDelta.vector(c, "dDelta"))
  channelSums(x, dy, pool) { channel, sum, product in
    (toGamma[channel], toDelta[channel]) = (Float(product), Float(sum))
  }
}

/// y[c] = Σ x[r][c] over the rows, in double in their order: x `[…, C]` → y of C values
package func sumRows(_ x: TensorRef, into y: TensorRef, _ pool: ThreadPool) {
  let to = y.vector(x.rowsAndColumns.columns, "sums")
  channelSums(x, x, pool) { channel, sum, _ in to[channel] = Float(sum) }
}

/// Calls `body` with Σ y and Σ y·x over the rows of every channel; channels are shared out among the threads.
private func channelSums(
  _ x: TensorRef, _ y: TensorRef, _ pool: ThreadPool,
  _ body: (_ channel: Int, _ sum: Double, _ product: Double) -> Void
) {
  let (rows, c) = x.rowsAndColumns
  let (from, other, kernel) = (x.floats, y.floats, pool.kernels.table.pointee.channel_sums)
  byGroups(c, 1, pool) { channels, sums, _ in
    kernel(
      rows, channels.count, from + channels.lowerBound, c, other + channels.lowerBound, c, sums)
    for (i, channel) in channels.enumerated() { body(channel, sums[2 * i], sums[2 * i + 1]) }
  }
}
