import CKernels
import Tensors

/// The int8 weight of a product: w[n][k] ≈ scales[n]·q[n][k], q in −127…127.
package struct Int8Weight {
  /// s8 panels `[N, K]` or `[O, kh, kw, C]`, aligned to 64 bytes.
  package let panels: TensorRef
  /// f32 `[N]`
  package let scales: TensorRef

  package init(panels: TensorRef, scales: TensorRef) {
    precondition(
      panels.type.layout == .panels && panels.type.element == .s8 && panels.shape.count > 1,
      "an int8 weight in panels wanted, got \(panels.type)")
    (self.panels, self.scales) = (panels, scales)
    _ = scales.vector(panels.shape[0], "scales")
  }

  var shape: [Int] { panels.shape }
}

/// Bytes of one tap of a panel: its column sums and its groups of 4 channels.
func int8TapBytes(channels: Int) -> Int { 64 + (channels + 3) / 4 * 64 }

/// Quantizes consecutive rows of a weight and packs them into int8 panels with their column sums:
/// q = round(w/scale), ties to even, at most ±127.
///
/// - Parameters:
///   - source: exactly the rows `rows`, row-major, finite.
///   - scales: of the rows `rows`, finite and not negative; a row of scale 0 becomes zeros.
///   - checkpointShape: `[N, K]`, or `[O, I, kh, kw]`, which becomes (ky, kx, channel).
///   - rows: starts at a multiple of 16; ends at one, or at N.
///   - into: the panels of these rows.
package func packInt8Panels(
  _ source: UnsafeBufferPointer<Float>, scales: UnsafeBufferPointer<Float>, checkpointShape: [Int],
  rows: Range<Int>, into target: UnsafeMutableRawBufferPointer, _ pool: ThreadPool? = nil
) {
  let n = checkpointShape[0]
  let channels = checkpointShape[1]
  let taps = checkpointShape.dropFirst(2).reduce(1, *)
  precondition(
    rows.lowerBound % 16 == 0 && rows.upperBound <= n && (rows.upperBound % 16 == 0 || rows.upperBound == n),
    "rows \(rows) of \(checkpointShape) are not whole panels")
  precondition(
    source.count == rows.count * channels * taps && scales.count == rows.count,
    "\(source.count) values and \(scales.count) scales for \(rows.count) rows of \(checkpointShape)")
  let panels = (rows.count + 15) / 16
  let panelBytes = taps * int8TapBytes(channels: channels)
  precondition(taps <= 256, "\(taps) taps in an int8 panel")
  precondition(
    target.count >= panels * panelBytes, "\(target.count) bytes for \(panels) panels of \(panelBytes)")
  guard panels > 0, let from = source.baseAddress, let scale = scales.baseAddress,
    let to = target.baseAddress?.assumingMemoryBound(to: Int8.self)
  else { return }

  let kernel = (pool?.kernels ?? .chosen).table.pointee.pack_panel_s8
  let pack = { (panel: Int, _: Int) in
    let first = panel * 16
    kernel(
      min(16, rows.count - first), channels, taps, from + first * channels * taps, scale + first,
      to + panel * panelBytes)
  }
  if let pool { pool.run(panels, pack) } else { for panel in 0..<panels { pack(panel, 0) } }
}
