import CKernels
import Platform

/// The scale of every output that uses the whole range: scales[n] = max_k|w[n][k]|/127.
///
/// - Parameters:
///   - source: whole rows of a weight as the checkpoint stores it, `[rows][K]`.
///   - scales: one for each of them; NaN or infinite for a row that is not finite.
package func maxSizeScales(
  _ source: UnsafeBufferPointer<Float>, into scales: UnsafeMutableBufferPointer<Float>,
  _ pool: ThreadPool? = nil
) {
  forEachRow(source, scales.count, pool) { kernels, row, values, k in
    scales[row] = kernels.max_size(k, values) / 127
  }
}

/// Of five scales from max|w|/127 downwards the one with the least Σ(w − scale·q)² for every output.
///
/// Clipping pays little at 8 bits. Shrinking the scale by a part δ takes 2δ of the rounding error K·scale²/12
/// away and adds (δ·max)² for every value at the maximum, so with one such value the best part is
/// δ = K/(12·127²): 0.2 % for 320 inputs, 6 % for 11,520. The candidates lie half of that apart, but at least
/// 0.3 %, where the rounding of the other values has become independent and the best of five gains by chance.
/// Over max|w|/127 that is 0.1 dB at 320…2,880 inputs and 0.2 dB at 11,520, as much as thirty candidates
/// 1 % apart find, on Gaussian, Laplacian and Student (3 degrees of freedom) rows alike.
///
/// - Parameters: as for `maxSizeScales`. A row that is zero, tiny (scale under 2^−100) or not finite keeps
///   that scale.
package func leastErrorScales(
  _ source: UnsafeBufferPointer<Float>, into scales: UnsafeMutableBufferPointer<Float>,
  _ pool: ThreadPool? = nil
) {
  forEachRow(source, scales.count, pool) { kernels, row, values, k in
    let widest = kernels.max_size(k, values) / 127
    scales[row] = widest
    guard widest >= 0x1p-100, widest.isFinite else { return }
    let step = min(0.15, max(0.003, Float(k) / (24 * 127 * 127)))
    var least = Double.infinity
    for candidate in 0..<5 {
      let scale = widest * (1 - step * Float(candidate))
      let error = kernels.quantization_error(k, values, 1 / scale) * Double(scale) * Double(scale)
      if error < least { (least, scales[row]) = (error, scale) }
    }
  }
}

/// Σw² of a weight and Σ(w − scale·q)² of what became of it.
package struct QuantizationEnergies: Sendable, Equatable {
  package var signal = 0.0, error = 0.0

  package init() {}

  /// 10·log₁₀ of the ratio; infinite where nothing was lost.
  package var decibels: Double { error == 0 ? .infinity : 10 * log10(signal / error) }

  /// Adds rows to both sums, one after the other, so that neither blocks nor threads change a bit.
  ///
  /// - Parameters:
  ///   - source: whole rows of a weight, `[rows][K]`, finite.
  ///   - scales: those they are packed with.
  package mutating func add(
    _ source: UnsafeBufferPointer<Float>, scales: UnsafeBufferPointer<Float>, _ pool: ThreadPool? = nil
  ) {
    withUnsafeTemporaryAllocation(of: (signal: Double, error: Double).self, capacity: scales.count) { rows in
      let results = rows.baseAddress!
      forEachRow(source, scales.count, pool) { kernels, row, values, k in
        // In steps of the scale; of a row without one, in its own unit.
        let scale = scales[row] >= 0x1p-100 ? scales[row] : 1
        let unit = Double(scale) * Double(scale)
        let signal = energy(k, values, 1 / scale) * unit
        let isLost = scales[row] == 0
        let error = isLost ? signal : kernels.quantization_error(k, values, 1 / scale) * unit
        (results + row).initialize(to: (signal, error))
      }
      for row in rows { (signal, error) = (signal + row.signal, error + row.error) }
    }
  }
}

private func forEachRow(
  _ source: UnsafeBufferPointer<Float>, _ rows: Int, _ pool: ThreadPool?,
  _ body: (kernel_set, _ row: Int, _ values: UnsafePointer<Float>, _ k: Int) -> Void
) {
  precondition(
    rows > 0 && source.count % rows == 0, "\(source.count) values in \(rows) rows")
  let kernels = (pool?.kernels ?? .chosen).table.pointee
  let k = source.count / rows
  // An empty row has no address; its values are never read.
  let first = source.baseAddress ?? UnsafePointer(bitPattern: 64)!
  func each(_ row: Int) { body(kernels, row, first + row * k, k) }
  if let pool { byRows(rows, k, pool, each) } else { for row in 0..<rows { each(row) } }
}
