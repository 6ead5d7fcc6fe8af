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
    self.init(width: mask.width, height: mask.height, pixels: mask.values.map(Self.level))
  }

  static func level(_ value: Float) -> UInt8 {
    UInt8((min(max(value, 0), 1) * 255).rounded(.toNearestOrEven))
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
}
