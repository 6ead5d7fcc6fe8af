import CKernels
import Tensors

/// Lines of a picture in halves, `Layout.scaledLines`: every line is multiplied by a power of two that brings its largest
/// value between 2¹⁴ and 2¹⁵, so that nothing overflows and nothing is lost but the last 13 bits of a value's 24; values
/// under 2⁻²⁹ of their line's largest lose more. A line that holds an infinity or NaN keeps them and is not scaled.
///
///     x[j] ≈ half[j]/factor,  |x[j] − …| ≤ 2⁻¹¹·|x[j]|/2 + 2⁻³⁹·max|x|
private struct ScaledLines {
  private let address: UnsafeMutableRawPointer
  /// Bytes from line to line, and from a line to its factor.
  private let stride: Int, factorOffset: Int
  /// Values of a line.
  let count: Int

  init(_ tensor: TensorRef) {
    precondition(tensor.type.layout == .scaledLines, "scaled lines wanted, got \(tensor.type)")
    let type = tensor.type
    (address, stride, factorOffset) = (tensor.address, type.scaledLineBytes, type.factorOffset)
    count = type.shape.dropFirst().reduce(1, *)
  }

  func halves(_ line: Int) -> UnsafeMutablePointer<UInt16> {
    (address + line * stride).assumingMemoryBound(to: UInt16.self)
  }

  func factor(_ line: Int) -> UnsafeMutablePointer<Float> {
    (address + (line * stride + factorOffset)).assumingMemoryBound(to: Float.self)
  }
}

/// Values that a thread changes at a time.
private let pieceCount = 4096

/// Stores lines `[n, W, C]` in those of y from `first` on.
package func storeLines(_ x: TensorRef, from first: Int, into y: TensorRef, _ pool: ThreadPool) {
  let (lines, values, set) = (ScaledLines(y), UnsafePointer(x.floats), pool.kernels.table)
  pool.run(x.shape[0]) { line, _ in
    let row = values + line * lines.count
    let factor = scale(of: row, lines.count, set)
    lines.factor(first + line).pointee = factor
    inPieces(lines.count) { start, n, buffer in
      scale_row(n, row + start, factor, buffer)
      set.pointee.narrow_f16(n, buffer, lines.halves(first + line) + start)
    }
  }
}

/// Brings lines `range` of x into y `[range.count, W, C]`.
package func loadLines(_ x: TensorRef, _ range: Range<Int>, into y: TensorRef, _ pool: ThreadPool) {
  let (lines, values, set) = (ScaledLines(x), y.floats, pool.kernels.table)
  precondition(
    y.shape == [range.count] + x.shape.dropFirst(), "loadLines: \(range) of \(x.shape) into \(y.shape)")
  pool.run(range.count) { line, _ in
    let (from, to) = (lines.halves(range.lowerBound + line), values + line * lines.count)
    let back = 1 / lines.factor(range.lowerBound + line).pointee
    for start in stride(from: 0, to: lines.count, by: pieceCount) {
      let n = min(pieceCount, lines.count - start)
      set.pointee.widen_f16(n, from + start, to + start)
      scale_row(n, to + start, back, to + start)
    }
  }
}

/// Brings x `[n, W, C]` into the channels from `first` on of y `[n, W, Cy]`.
package func loadLines(
  _ x: TensorRef, intoChannelsFrom first: Int, of y: TensorRef, _ pool: ThreadPool
) {
  let (lines, values, set) = (ScaledLines(x), y.floats, pool.kernels.table)
  let ((pixels, c), (pixelsY, cy)) = (x.rowsAndColumns, y.rowsAndColumns)
  precondition(
    pixels == pixelsY && first + c <= cy, "loadLines: \(x.shape) into \(y.shape) from channel \(first) on")
  pool.run(x.shape[0]) { line, _ in
    let (from, back, width) = (lines.halves(line), 1 / lines.factor(line).pointee, lines.count / c)
    for pixel in 0..<width {
      let to = values + (line * width + pixel) * cy + first
      set.pointee.widen_f16(c, from + pixel * c, to)
      scale_row(c, to, back, to)
    }
  }
}

/// Makes of lines `[n, W, C]` what they would be if they had been stored and loaded.
package func roundLines(_ x: TensorRef, _ pool: ThreadPool) {
  let (values, count, set) = (x.floats, x.shape.dropFirst().reduce(1, *), pool.kernels.table)
  pool.run(x.shape[0]) { line, _ in
    let row = values + line * count
    let factor = scale(of: row, count, set)
    withUnsafeTemporaryAllocation(of: UInt16.self, capacity: pieceCount) { halves in
      inPieces(count) { start, n, buffer in
        scale_row(n, row + start, factor, buffer)
        set.pointee.narrow_f16(n, buffer, halves.baseAddress!)
        set.pointee.widen_f16(n, halves.baseAddress!, buffer)
        scale_row(n, buffer, 1 / factor, row + start)
      }
    }
  }
}

private func inPieces(
  _ count: Int, _ body: (_ start: Int, _ n: Int, _ buffer: UnsafeMutablePointer<Float>) -> Void
) {
  withUnsafeTemporaryAllocation(of: Float.self, capacity: pieceCount) { buffer in
    for start in stride(from: 0, to: count, by: pieceCount) {
      body(start, min(pieceCount, count - start), buffer.baseAddress!)
    }
  }
}

private func scale(of row: UnsafePointer<Float>, _ count: Int, _ set: UnsafePointer<kernel_set>) -> Float {
  let largest = set.pointee.max_size(count, row)
  guard largest.isFinite, largest > 0 else { return 1 }
  // The factor and its inverse are normal numbers.
  return Float(sign: .plus, exponent: min(max(14 - Int(largest.exponent), -100), 100), significand: 1)
}
