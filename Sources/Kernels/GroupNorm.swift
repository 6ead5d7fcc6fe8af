import CKernels
import Tensors

/// Group normalization over channels-last images.
///
///     y = γ·x̂ + β,  x̂ = (x − μ)/σ,  μ and σ² + ε over the pixels and channels of one group
///
/// x, y `[H, W, C]`, gamma, beta `[C]`, stats `[groups, 2]` = (μ, 1/σ).
///
/// Sums are gathered per channel in double, where the squares of floats are exact, so σ² = E x² − μ²
/// loses nothing that a float could hold. A thread owns whole groups: the order of a sum is that of the pixels.
package func groupNorm(
  _ x: TensorRef, gamma: TensorRef, beta: TensorRef, groups: Int, epsilon: Float, into y: TensorRef,
  stats: TensorRef, _ pool: ThreadPool
) {
  let (rows, c) = x.rowsAndColumns
  precondition(x.shape == y.shape, "groupNorm: \(x.shape) into \(y.shape)")
  groupStatistics(x, groups: groups, epsilon: epsilon, into: stats, pool)
  let (from, to, statistics) = (x.floats, y.floats, stats.floats)
  let (g, b) = (gamma.vector(c, "gamma"), beta.vector(c, "beta"))
  let (set, size) = (pool.kernels.table, c / groups)
  withChannelVectors(c, 2) { mean, vectors in
    for i in 0..<c { (mean[i], vectors[0][i]) = (statistics[2 * (i / size)], statistics[2 * (i / size) + 1]) }
    let rsigma = vectors[0]
    byRows(rows, c, pool) { row in
      set.pointee.normalize(c, from + row * c, mean, rsigma, 1, g, b, to + row * c)
    }
  }
}

/// stats[g] = (μ, 1/σ) of every group of a picture x `[H, W, C]`, which is all that `groupNorm` has to know of it as a
/// whole.
package func groupStatistics(
  _ x: TensorRef, groups: Int, epsilon: Float, into stats: TensorRef, _ pool: ThreadPool
) {
  withUnsafeTemporaryAllocation(
    byteCount: GroupSums.byteCount(channels: x.shape.last!), alignment: MemoryLayout<Double>.alignment
  ) { memory in
    var sums = GroupSums(channels: x.shape.last!, groups: groups, at: memory.baseAddress!)
    sums.add(x, pool)
    sums.finish(epsilon: epsilon, into: stats)
  }
}

/// `groupStatistics` of a picture that comes some lines at a time, with the same bits: a channel's sum goes on where it
/// stopped.
package struct GroupSums {
  private let channels: Int, groups: Int
  /// Σx and Σx² of every channel.
  private let sums: UnsafeMutablePointer<Double>
  private var rows = 0

  package static func byteCount(channels: Int) -> Int { 2 * channels * MemoryLayout<Double>.stride }

  /// - Parameter memory: `byteCount(channels:)` bytes.
  package init(channels: Int, groups: Int, at memory: UnsafeMutableRawPointer) {
    precondition(channels % groups == 0, "\(channels) channels in \(groups) groups")
    (self.channels, self.groups) = (channels, groups)
    sums = memory.bindMemory(to: Double.self, capacity: 2 * channels)
    sums.update(repeating: 0, count: 2 * channels)
  }

  /// Adds the next rows (pixels) `[…, C]`.
  package mutating func add(_ x: TensorRef, _ pool: ThreadPool) {
    let (count, c) = x.rowsAndColumns
    precondition(c == channels, "\(x.shape) into sums of \(channels) channels")
    let (from, set, sums, size) = (x.floats, pool.kernels.table, sums, channels / groups)
    let parts = min(groups, pool.threads)
    pool.run(parts) { part, _ in
      let own = groups * part / parts * size..<groups * (part + 1) / parts * size
      let first = from + own.lowerBound
      set.pointee.channel_sums(count, own.count, first, c, first, c, sums + 2 * own.lowerBound)
    }
    rows += count
  }

  package func finish(epsilon: Float, into stats: TensorRef) {
    precondition(stats.type.count == 2 * groups, "statistics of \(groups) groups into \(stats.shape)")
    let (statistics, size) = (stats.floats, channels / groups)
    for group in 0..<groups {
      let (sum, squares) = total(sums + 2 * group * size, size)
      let count = Double(rows * size)
      let mean = sum / count
      let variance = max(0, squares / count - mean * mean)
      statistics[2 * group] = Float(mean)
      statistics[2 * group + 1] = Float(1 / (variance + Double(epsilon)).squareRoot())
    }
  }
}

/// dx = (v − mean(v) − x̂·mean(v·x̂)) / σ  with  v = dy·γ, means over one group
///
/// x, dy, dx `[H, W, C]`, stats `[groups, 2]` of the forward pass; dx may be dy or x.
package func groupNormDX(
  _ x: TensorRef, stats: TensorRef, gamma: TensorRef, dy: TensorRef, into dx: TensorRef, _ pool: ThreadPool
) {
  let (rows, c) = x.rowsAndColumns
  let groups = stats.type.count / 2
  precondition(
    c % groups == 0 && x.shape == dy.shape && x.shape == dx.shape,
    "groupNormDX: \(x.shape), \(dy.shape) in \(groups) groups into \(dx.shape)")
  let (from, dFrom, to, statistics) = (x.floats, dy.floats, dx.floats, stats.floats)
  let g = gamma.vector(c, "gamma")
  let set = pool.kernels.table
  let size = c / groups

  withChannelVectors(c, 4) { mean, vectors in
    let (rsigma, m1, m2) = (vectors[0], vectors[1], vectors[2])
    byGroups(groups, size, pool) { channels, sums, _ in
      set.pointee.channel_sums(
        rows, channels.count, from + channels.lowerBound, c, dFrom + channels.lowerBound, c, sums)
      for first in stride(from: 0, to: channels.count, by: size) {
        let range = channels.lowerBound + first..<channels.lowerBound + first + size
        let (mu, r) = (
          statistics[2 * (range.lowerBound / size)], statistics[2 * (range.lowerBound / size) + 1]
        )
        var (v, vx) = (0.0, 0.0)
        for i in range {
          let (dy, dyx) = (sums[2 * (i - channels.lowerBound)], sums[2 * (i - channels.lowerBound) + 1])
          v += Double(g[i]) * dy
          vx += Double(g[i]) * (dyx - Double(mu) * dy) * Double(r)
        }
        let count = Double(rows * size)
        for i in range { (mean[i], rsigma[i], m1[i], m2[i]) = (mu, r, Float(v / count), Float(vx / count)) }
      }
    }
    byRows(rows, c, pool) { row in
      set.pointee.normalize_dx(
        c, from + row * c, dFrom + row * c, mean, rsigma, m1, m2, 1, g, to + row * c)
    }
  }
}

/// dγ = Σ dy·x̂ and dβ = Σ dy over the pixels: x, dy `[H, W, C]` → dGamma, dBeta `[C]`
package func groupNormDParameters(
  _ x: TensorRef, stats: TensorRef, dy: TensorRef, intoGamma dGamma: TensorRef, beta dBeta: TensorRef,
  _ pool: ThreadPool
) {
  let (rows, c) = x.rowsAndColumns
  let groups = stats.type.count / 2
  precondition(c % groups == 0 && x.shape == dy.shape, "groupNormDParameters: \(x.shape), \(dy.shape)")
  let (from, dFrom, statistics) = (x.floats, dy.floats, stats.floats)
  let (toGamma, toBeta) = (dGamma.vector(c, "dGamma"), dBeta.vector(c, "dBeta"))
  let set = pool.kernels.table
  let size = c / groups
  byGroups(groups, size, pool) { channels, sums, _ in
    set.pointee.channel_sums(
      rows, channels.count, from + channels.lowerBound, c, dFrom + channels.lowerBound, c, sums)
    for (i, channel) in channels.enumerated() {
      let (mu, r) = (Double(statistics[2 * (channel / size)]), Double(statistics[2 * (channel / size) + 1]))
      toBeta[channel] = Float(sums[2 * i])
      toGamma[channel] = Float((sums[2 * i + 1] - mu * sums[2 * i]) * r)
    }
  }
}

/// Splits the channels into at most one run of whole groups per thread, each with zeroed double sums.
func byGroups(
  _ groups: Int, _ size: Int, _ pool: ThreadPool,
  _ body: (_ channels: Range<Int>, _ sums: UnsafeMutablePointer<Double>, _ thread: Int) -> Void
) {
  let parts = min(groups, pool.threads)
  pool.run(parts) { part, thread in
    let channels = groups * part / parts * size..<groups * (part + 1) / parts * size
    withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * channels.count) { sums in
      sums.initialize(repeating: 0)
      body(channels, sums.baseAddress!, thread)
    }
  }
}

private func total(_ sums: UnsafeMutablePointer<Double>, _ channels: Int) -> (sum: Double, squares: Double) {
  var (sum, squares) = (0.0, 0.0)
  for i in 0..<channels {
    sum += sums[2 * i]
    squares += sums[2 * i + 1]
  }
  return (sum, squares)
}

/// `count` temporary vectors of one float per channel: the first, and a list of the others.
private func withChannelVectors(
  _ channels: Int, _ count: Int,
  _ body: (UnsafeMutablePointer<Float>, [UnsafeMutablePointer<Float>]) -> Void
) {
  withUnsafeTemporaryAllocation(of: Float.self, capacity: channels * count) { memory in
    let base = memory.baseAddress!
    body(base, (1..<count).map { base + $0 * channels })
  }
}
