import CKernels
import Tensors

/// dW[n][k] = Σ_r dy[r][n]·x[r][k]
///
/// - Parameters:
///   - x: `[…, K]`
///   - dy: `[…, N]`
///   - dW: `[N, K]`
package func linearDW(
  _ x: TensorRef, dy: TensorRef, into dW: TensorRef, scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
) {
  let ((rows, k), (rowsY, n)) = (x.rowsAndColumns, dy.rowsAndColumns)
  precondition(
    rows == rowsY && dW.shape == [n, k], "linearDW: \(x.shape), \(dy.shape) into \(dW.shape)")
  let input = UnsafePointer(x.floats)
  WeightGradient(rows: rows, outputs: n, columns: k).run(dy, into: dW, scratch: scratch, pool) {
    rows, columns, panel in
    for (i, row) in rows.enumerated() {
      copy(input + row * k + columns.lowerBound, columns.count, panel + i * 16)
    }
  }
}

package func linearDWScratchBytes(x: TensorType, dy: TensorType, threads: Int) -> Int {
  let (k, n) = (x.shape.last!, dy.shape.last!)
  return WeightGradient(rows: x.count / max(k, 1), outputs: n, columns: k).scratchBytes(threads: threads)
}

/// dW[o][ky][kx][c] = Σ_i Σ_j dy[i][j][o]·x[i·s + ky − top][j·s + kx − left][c], x zero outside
///
/// - Parameters:
///   - x: `[H, W, C]`
///   - dy: `[H', W', O]`
///   - dW: `[O, kh, kw, C]`, plain
package func convolutionDW(
  _ x: TensorRef, dy: TensorRef, _ geometry: ConvolutionGeometry, into dW: TensorRef,
  scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
) {
  let (image, channels) = (Enlargement.none.image(x.shape), x.shape[2])
  let (kh, kw, n) = (dW.shape[1], dW.shape[2], dy.shape[2])
  let size = geometry.outputSize(height: image.height, width: image.width, kernel: (kh, kw))
  precondition(
    dy.shape == [size.height, size.width, n] && dW.shape == [n, kh, kw, channels],
    "convolutionDW: \(x.shape), \(dy.shape), \(geometry) into \(dW.shape)")
  let input = UnsafePointer(x.floats)
  WeightGradient(rows: size.height * size.width, outputs: n, columns: kh * kw * channels).run(
    dy, into: dW, scratch: scratch, pool
  ) { pixels, columns, panel in
    // A panel's columns lie in one tap or in several.
    var column = columns.lowerBound
    while column < columns.upperBound {
      let (tap, channel) = column.quotientAndRemainder(dividingBy: channels)
      let count = min(channels - channel, columns.upperBound - column)
      let target = panel + (column - columns.lowerBound)
      geometry.forEachSource(
        of: pixels, outputWidth: size.width, tap: tap, kernelWidth: kw, in: image
      ) { row, source in
        if let source {
          copy(input + source * channels + channel, count, target + row * 16)
        } else {
          (target + row * 16).update(repeating: 0, count: count)
        }
      }
      column += count
    }
  }
}

package func convolutionDWScratchBytes(x: TensorType, dy: TensorType, dW: TensorType, threads: Int) -> Int {
  WeightGradient(
    rows: dy.shape[0] * dy.shape[1], outputs: dy.shape[2], columns: dW.shape.dropFirst().reduce(1, *)
  ).scratchBytes(threads: threads)
}

private func copy(_ x: UnsafePointer<Float>, _ count: Int, _ y: UnsafeMutablePointer<Float>) {
  if count == 16 {
    UnsafeMutableRawPointer(y).storeBytes(
      of: UnsafeRawPointer(x).loadUnaligned(as: SIMD16<Float>.self), as: SIMD16<Float>.self)
  } else {
    for j in 0..<count { y[j] = x[j] }
  }
}

/// The product dyᵀ·a of a weight's gradient: the rows of dy turned into columns on one side, on the other the rows a,
/// which are what the forward pass multiplied, as panels. The sums run over the rows in order, a run of them at a time.
private struct WeightGradient {
  var rows: Int, outputs: Int, columns: Int

  /// Writes the 16-column panel of the columns given, 16 floats for every row; columns past the last one are zero
  /// already.
  typealias Panel = (_ rows: Range<Int>, _ columns: Range<Int>, _ panel: UnsafeMutablePointer<Float>) -> Void

  /// Rows of dy that are turned at a time: a megabyte of floats is aimed at.
  private var span: Int {
    let block = PanelProduct.depthBlock
    return min(rows, max(block, 262_144 / max(outputs, 1) / block * block))
  }

  private func product(_ rows: Int) -> PanelProduct {
    PanelProduct(rows: outputs, columns: columns, taps: 1, depth: rows)
  }

  func scratchBytes(threads: Int) -> Int {
    let lengths = [span, rows % max(span, 1)]
    return ScratchCursor.bytes([
      span * outputs * 4, lengths.map { product($0).scratchBytes(threads: threads) }.max()!,
    ])
  }

  func run(
    _ dy: TensorRef, into dW: TensorRef, scratch: UnsafeMutableRawPointer, _ pool: ThreadPool, panel: Panel
  ) {
    var cursor = ScratchCursor(scratch)
    let turned = cursor.take(span * outputs, of: Float.self)
    let rest = cursor.take(0, of: Float.self)
    let from = UnsafePointer(dy.floats)
    for first in stride(from: 0, to: rows, by: max(span, 1)) {
      let count = min(span, rows - first)
      turn(from + first * outputs, count, into: turned, pool)
      product(count).run(
        into: dW.floats, bias: nil, continues: first > 0, scratch: rest, pool,
        rowPointers: { _, range, table in
          for (i, row) in range.enumerated() { table[i] = UnsafePointer(turned + row * count) }
        },
        panels: { _, k, panels, scratch in
          for (i, index) in panels.enumerated() {
            let own = scratch + i * k.count * 16
            let columns = index * 16..<min(columns, index * 16 + 16)
            if columns.count < 16 { own.update(repeating: 0, count: k.count * 16) }
            panel(first + k.lowerBound..<first + k.upperBound, columns, own)
          }
          return (UnsafePointer(scratch), k.count * 16)
        })
    }
  }

  /// y[n][r] = x[r][n]: `[count, outputs]` → `[outputs, count]`
  private func turn(
    _ x: UnsafePointer<Float>, _ count: Int, into y: UnsafeMutablePointer<Float>, _ pool: ThreadPool
  ) {
    let transpose = pool.kernels.table.pointee.transpose_16x16
    pool.run((count + 15) / 16) { block, _ in
      let rows = block * 16..<min(count, block * 16 + 16)
      for n in stride(from: 0, to: outputs, by: 16) {
        if rows.count == 16, n + 16 <= outputs {
          transpose(x + rows.lowerBound * outputs + n, outputs, y + n * count + rows.lowerBound, count)
        } else {
          for j in n..<min(n + 16, outputs) { for r in rows { y[j * count + r] = x[r * outputs + j] } }
        }
      }
    }
  }
}
