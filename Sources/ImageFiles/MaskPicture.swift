import Tensors

/// A mask as drawn: `[height, width]`, row-major, 255 = editable, 0 = keep.
///
/// One byte a pixel, so it stays in this form until it has the size at which it is used.
public struct MaskPicture: Sendable, Equatable {
  public let width: Int
  public let height: Int
  public var pixels: [UInt8]

  public init(width: Int, height: Int, pixels: [UInt8]) {
    precondition(pixels.count == width * height)
    self.width = width
    self.height = height
    self.pixels = pixels
  }

  /// value/255, `[height, width]`.
  public var soft: Mask { Mask(height: height, width: width, values: pixels.map { Float($0) / 255 }) }

  /// 1 where value/255 ≥ ½, that is from 128, `[height, width]`.
  public var binary: Mask { Mask(height: height, width: width, values: pixels.map { $0 >= 128 ? 1 : 0 }) }

  /// round(mask·255)
  public init(_ mask: Mask) {
    self.init(
      width: mask.width, height: mask.height,
      pixels: mask.values.map { UInt8((min(max($0, 0), 1) * 255).rounded(.toNearestOrEven)) })
  }

  /// The pixel nearest to the upper left corner of each new one: source index floor(i·source/target).
  public func nearest(height newHeight: Int, width newWidth: Int) -> MaskPicture {
    if newWidth == width && newHeight == height { return self }
    var result: [UInt8] = []
    result.reserveCapacity(newHeight * newWidth)
    for y in 0..<newHeight {
      let row = y * height / newHeight * width
      for x in 0..<newWidth { result.append(pixels[row + x * width / newWidth]) }
    }
    return MaskPicture(width: newWidth, height: newHeight, pixels: result)
  }

  /// The mean over the area of each new pixel, divided by 255; exact up to the rounding of the result.
  public func areaAverage(height newHeight: Int, width newWidth: Int) -> Mask {
    Mask(
      height: newHeight, width: newWidth,
      values: areaMeans(from: (height, width), to: (newHeight, newWidth)) { Double(pixels[$0]) }
        .map { Float($0 / 255) })
  }
}

extension Mask {
  /// The mean over the area of each new element.
  public func areaAverage(height newHeight: Int, width newWidth: Int) -> Mask {
    Mask(
      height: newHeight, width: newWidth,
      values: areaMeans(from: (height, width), to: (newHeight, newWidth)) { Double(values[$0]) }
        .map { Float($0) })
  }
}

extension Picture {
  /// Brightness as ITU-R BT.601 has it: 0.299 R + 0.587 G + 0.114 B, with weights in units of 2⁻¹⁶ that sum
  /// to one, so grey keeps its value.
  public var luma: MaskPicture {
    var grey = [UInt8](repeating: 0, count: width * height)
    for i in grey.indices {
      let (r, g, b) = (Int(pixels[3 * i]), Int(pixels[3 * i + 1]), Int(pixels[3 * i + 2]))
      grey[i] = UInt8((19_595 * r + 38_470 * g + 7_471 * b + 32_768) >> 16)
    }
    return MaskPicture(width: width, height: height, pixels: grey)
  }
}

private typealias Extent2D = (height: Int, width: Int)

/// Means over the target's cells. In units of 1/(source·target) of a side, source cells are `target` and
/// target cells `source` units wide, so every overlap is an integer and sums of bytes are exact.
private func areaMeans(
  from source: Extent2D, to target: Extent2D, _ value: (Int) -> Double
) -> [Double] {
  var means = [Double](repeating: 0, count: target.height * target.width)
  let columns = (0..<target.width).map { overlaps(of: $0, source.width, target.width) }
  for y in 0..<target.height {
    for (row, rowOverlap) in overlaps(of: y, source.height, target.height) {
      for x in 0..<target.width {
        var sum = 0.0
        for (column, overlap) in columns[x] { sum += overlap * value(row * source.width + column) }
        means[y * target.width + x] += rowOverlap * sum
      }
    }
  }
  let cell = Double(source.height * source.width)
  for i in means.indices { means[i] /= cell }
  return means
}

/// The source cells under target cell `i` along one axis, with the length of each overlap.
private func overlaps(of i: Int, _ source: Int, _ target: Int) -> [(cell: Int, length: Double)] {
  let (start, end) = (i * source, (i + 1) * source)
  return (start / target...(end - 1) / target).map {
    ($0, Double(min(end, ($0 + 1) * target) - max(start, $0 * target)))
  }
}
