import Kernels
import Tensors

/// Some lines of a convolution's result, the lines of x that they are made of, and the convolution between the two.
struct ConvolutionBand {
  var output: Range<Int>
  var lines: Range<Int>
  var geometry: ConvolutionGeometry

  /// About so many bytes of x are changed in working memory at a time: a large picture goes in bands, which overlap by
  /// the lines that a kernel looks beyond its own. A band still has so many pixels that reading the weight again for
  /// each costs nothing beside them.
  static let byteCount = 4 << 20
}

extension ConvolutionGeometry {
  /// Bands for x `[H, W, C]` and a weight `[O, kh, kw, C]`, of which x takes so many bytes a value in working memory.
  func bands(of x: TensorType, _ weight: [Int], bytesPerValue: Int) -> [ConvolutionBand] {
    let (height, width, kernel) = (x.shape[0], x.shape[1], weight[1])
    let rows = outputSize(height: height, width: width, kernel: (kernel, weight[2])).height
    let step = max(1, ConvolutionBand.byteCount / (bytesPerValue * width * x.shape[2]) / stride)
    return Swift.stride(from: 0, to: rows, by: step).map { first in
      let end = min(first + step, rows)
      let start = first * stride - top
      let lines = max(start, 0)..<min((end - 1) * stride - top + kernel, height)
      var part = self
      part.top = lines.lowerBound - start
      part.bottom = (end - first - 1) * stride + kernel - part.top - lines.count
      return ConvolutionBand(output: first..<end, lines: lines, geometry: part)
    }
  }
}

extension TensorRef {
  /// Lines of a picture `[H, W, C]`, or rows `[rows, C]`.
  func lines(_ range: Range<Int>) -> TensorRef {
    let line = type.shape.dropFirst().reduce(1, *) * type.element.byteCount
    return TensorRef(
      TensorType([range.count] + type.shape.dropFirst()), at: address + range.lowerBound * line)
  }
}
