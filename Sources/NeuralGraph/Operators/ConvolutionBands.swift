import Kernels
import Tensors

/// Some lines of a convolution's result, the lines of x that they are made of, and the convolution between the two.
struct ConvolutionBand {
  var output: Range<Int>
  var lines: Range<Int>
  var geometry: ConvolutionGeometry
  var enlargement: Enlargement

  /// About so many values of x are changed in working memory at a time: a picture goes in bands, which overlap by the
  /// lines that a kernel looks beyond its own. A band still has so many pixels that reading the weight again for each
  /// costs nothing beside them.
  static let valueCount = 1 << 20
}

extension ConvolutionGeometry {
  /// Bands for x `[H, W, C]`, every pixel of which stands for `factor`² of them, and a weight `[O, kh, kw, C]`.
  func bands(of x: TensorType, _ weight: [Int], enlargedBy factor: Int = 1) -> [ConvolutionBand] {
    let (height, width) = (x.shape[0] * factor, x.shape[1] * factor)
    let rows = outputSize(height: height, width: width, kernel: (weight[1], weight[2])).height
    let step = max(1, ConvolutionBand.valueCount / (x.shape[1] * x.shape[2]) * factor / stride)
    return Swift.stride(from: 0, to: rows, by: step).map {
      band($0..<min($0 + step, rows), of: x, weight, enlargedBy: factor)
    }
  }

  /// The band of these lines of the result.
  func band(
    _ output: Range<Int>, of x: TensorType, _ weight: [Int], enlargedBy factor: Int = 1
  ) -> ConvolutionBand {
    let (height, kernel) = (x.shape[0] * factor, weight[1])
    let start = output.lowerBound * stride - top
    let end = min((output.upperBound - 1) * stride - top + kernel, height)
    let enlarged = max(start, 0)..<max(end, start, 0)
    var part = self
    part.top = enlarged.lowerBound - start
    part.bottom = (output.count - 1) * stride + kernel - part.top - enlarged.count
    var enlargement = Enlargement(by: factor)
    let lines = enlarged.lowerBound / factor..<(enlarged.upperBound + factor - 1) / factor
    (enlargement.phase, enlargement.lines) = (enlarged.lowerBound % factor, enlarged.count)
    return ConvolutionBand(output: output, lines: lines, geometry: part, enlargement: enlargement)
  }
}

extension ConvolutionBand {
  /// Bands of a linear layer on rows `[rows, C]`, whole blocks of those that share a block of the weight.
  static func bands(ofRows x: TensorType) -> [ConvolutionBand] {
    let step = max(1, valueCount / x.shape[1] / 384) * 384
    return stride(from: 0, to: x.shape[0], by: step).map {
      let rows = $0..<min($0 + step, x.shape[0])
      return ConvolutionBand(
        output: rows, lines: rows, geometry: ConvolutionGeometry(padding: 0), enlargement: .none)
    }
  }
}

/// Lines of x after a prologue and a rotation, as a convolution reads them band after band: lines that two bands share
/// are made once.
protocol BandBuffer {
  /// For so many lines, at `address`.
  static func byteCount(_ lines: TensorType) -> Int
  init(_ lines: TensorType, at address: UnsafeMutableRawPointer)
  /// Makes x into the lines from `first` on.
  func fill(
    from first: Int, _ x: TensorRef, _ prologue: Prologue, _ rotation: Int?,
    scratch: UnsafeMutableRawPointer, _ pool: ThreadPool)
  /// Moves the `count` lines from `first` on to the front.
  func keep(_ count: Int, from first: Int)
}

extension BandBuffer {
  /// Scratch of `forEachBand` with a product that needs `bytes(band)`.
  static func scratchBytes(
    _ bands: [ConvolutionBand], of x: TensorType, threads: Int, andThen bytes: (ConvolutionBand) -> Int
  ) -> Int {
    let lines = bands.map(\.lines.count).max() ?? 0
    let rest = bands.map(bytes).max() ?? 0
    return byteCount(x.lines(lines))
      + max(rest, prologueScratchBytes(channels: x.shape.last!, threads: threads))
  }

  /// Calls `product` for band after band, in order, with the buffer of its lines and scratch behind it.
  static func forEachBand(
    _ bands: [ConvolutionBand], of x: TensorRef, _ prologue: Prologue, _ rotation: Int?,
    scratch: UnsafeMutableRawPointer, _ pool: ThreadPool,
    product: (_ band: ConvolutionBand, _ buffer: Self, _ scratch: UnsafeMutableRawPointer) -> Void
  ) {
    let most = x.type.lines(bands.map(\.lines.count).max() ?? 0)
    let (buffer, rest) = (Self(most, at: scratch), scratch + byteCount(most))
    var held = 0..<0
    for band in bands {
      let kept = max(0, min(held.upperBound, band.lines.upperBound) - band.lines.lowerBound)
      if kept > 0 { buffer.keep(kept, from: band.lines.lowerBound - held.lowerBound) }
      if kept < band.lines.count {
        let fresh = band.lines.lowerBound + kept..<band.lines.upperBound
        buffer.fill(from: kept, x.lines(fresh), prologue, rotation, scratch: rest, pool)
      }
      held = band.lines
      product(band, buffer, rest)
    }
  }
}

extension Int8Rows: BandBuffer {
  func fill(
    from first: Int, _ x: TensorRef, _ prologue: Prologue, _ rotation: Int?,
    scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
  ) {
    quantizeRows(
      x, prologue, rotatedBy: rotation, into: lines(first..<first + x.type.shape[0]), scratch: scratch, pool)
  }
}

extension TensorRef: BandBuffer {
  static func byteCount(_ lines: TensorType) -> Int { (lines.byteCount + 63) / 64 * 64 }

  func fill(
    from first: Int, _ x: TensorRef, _ prologue: Prologue, _ rotation: Int?,
    scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
  ) {
    prepareRows(
      x, prologue, rotatedBy: rotation, into: lines(first..<first + x.type.shape[0]), scratch: scratch, pool)
  }

  func keep(_ count: Int, from first: Int) {
    let kept = lines(first..<first + count)
    address.copyMemory(from: kept.address, byteCount: kept.type.byteCount)
  }
}

extension TensorType {
  /// So many lines of a picture `[H, W, C]`, or rows `[rows, C]`.
  func lines(_ count: Int) -> TensorType { TensorType([count] + shape.dropFirst(), element: element) }
}
