import CKernels
import Tensors

/// Layer normalization of rows.
///
///     y = γ·x̂ + β,  x̂ = (x − μ)/σ,  μ and σ² + ε over one row
///
/// x, y `[rows, C]`, gamma, beta `[C]`, stats `[rows, 2]` = (μ, 1/σ). y may be x.
package func layerNorm(
  _ x: TensorRef, gamma: TensorRef, beta: TensorRef, epsilon: Float, into y: TensorRef, stats: TensorRef,
  _ pool: ThreadPool
) {
  let (rows, c) = x.rowsAndColumns
  precondition(
    x.shape == y.shape && stats.type.count == 2 * rows,
    "layerNorm: \(x.shape) into \(y.shape), \(stats.shape)")
  let (from, to, statistics) = (x.floats, y.floats, stats.floats)
  let (g, b) = (gamma.vector(c, "gamma"), beta.vector(c, "beta"))
  let set = pool.kernels.table
  byRows(rows, c, pool) { row in
    let values = from + row * c
    let stat = statistics + 2 * row
    (stat[0], stat[1]) = rowStatistics(values, c, epsilon, set)
    set.pointee.normalize(c, values, stat, stat + 1, 0, g, b, to + row * c)
  }
}

/// (μ, 1/σ) of one row of c values, its sums gathered in double.
func rowStatistics(
  _ row: UnsafePointer<Float>, _ c: Int, _ epsilon: Float, _ set: UnsafePointer<kernel_set>
) -> (mean: Float, rsigma: Float) {
  var sums = (0.0, 0.0)
  withUnsafeMutableBytes(of: &sums) {
    set.pointee.row_sums(c, row, row, nil, $0.baseAddress!.assumingMemoryBound(to: Double.self))
  }
  let mean = sums.0 / Double(c)
  let variance = max(0, sums.1 / Double(c) - mean * mean)
  return (Float(mean), Float(1 / (variance + Double(epsilon)).squareRoot()))
}

/// dx = (v − mean(v) − x̂·mean(v·x̂)) / σ  with  v = dy·γ, means over one row
///
/// x, dy, dx `[rows, C]`, stats `[rows, 2]` of the forward pass; dx may be dy or x.
package func layerNormDX(
  _ x: TensorRef, stats: TensorRef, gamma: TensorRef, dy: TensorRef, into dx: TensorRef, _ pool: ThreadPool
) {
  let (rows, c) = x.rowsAndColumns
  precondition(
    x.shape == dy.shape && x.shape == dx.shape && stats.type.count == 2 * rows,
    "layerNormDX: \(x.shape), \(dy.shape) into \(dx.shape), \(stats.shape)")
  let (from, dFrom, to, statistics) = (x.floats, dy.floats, dx.floats, stats.floats)
  let g = gamma.vector(c, "gamma")
  let set = pool.kernels.table
  byRows(rows, c, pool) { row in
    let stat = statistics + 2 * row
    var sums = (0.0, 0.0)
    withUnsafeMutableBytes(of: &sums) {
      set.pointee.row_sums(
        c, from + row * c, dFrom + row * c, g, $0.baseAddress!.assumingMemoryBound(to: Double.self))
    }
    var m1 = Float(sums.0 / Double(c))
    var m2 = Float((sums.1 - Double(stat[0]) * sums.0) * Double(stat[1]) / Double(c))
    set.pointee.normalize_dx(
      c, from + row * c, dFrom + row * c, stat, stat + 1, &m1, &m2, 0, g, to + row * c)
  }
}

/// dγ = Σ dy·x̂ and dβ = Σ dy over the rows: x, dy `[rows, C]` → dGamma, dBeta `[C]`
///
/// x̂ is rounded to float, the sums run in double in the order of the rows.
package func layerNormDParameters(
  _ x: TensorRef, stats: TensorRef, dy: TensorRef, intoGamma dGamma: TensorRef, beta dBeta: TensorRef,
  _ pool: ThreadPool
) {
  let (rows, c) = x.rowsAndColumns
  precondition(
    x.shape == dy.shape && stats.type.count == 2 * rows,
    "layerNormDParameters: \(x.shape), \(dy.shape), \(stats.shape)")
  let (from, dFrom, statistics) = (x.floats, dy.floats, stats.floats)
  let (toGamma, toBeta) = (dGamma.vector(c, "dGamma"), dBeta.vector(c, "dBeta"))
  let set = pool.kernels.table
  byGroups(c, 1, pool) { channels, sums, _ in
    let (first, n) = (channels.lowerBound, channels.count)
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 3 * n) { vectors in
      let (normal, ones, zeros) = (
        vectors.baseAddress!, vectors.baseAddress! + n, vectors.baseAddress! + 2 * n
      )
      ones.update(repeating: 1, count: n)
      zeros.update(repeating: 0, count: n)
      for row in 0..<rows {
        let (stat, place) = (statistics + 2 * row, row * c + first)
        set.pointee.normalize(n, from + place, stat, stat + 1, 0, ones, zeros, normal)
        set.pointee.channel_sums(1, n, normal, n, dFrom + place, c, sums)
      }
    }
    for (i, channel) in channels.enumerated() {
      (toBeta[channel], toGamma[channel]) = (Float(sums[2 * i]), Float(sums[2 * i + 1]))
    }
  }
}
