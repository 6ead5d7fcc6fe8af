import Tensors

/// An edit where its mask allows it and the original elsewhere: round(m·edited + (1 − m)·original), bit for bit the
/// original where m = 0 and the edit where m = 1.
///
/// All three have one size. The networks' round trip alters every pixel a little; this undoes it outside the mask.
public struct PastedPicture: PictureSource {
  private let edited: any PictureSource
  private let original: any PictureSource
  private let mask: PictureMask
  private let feather: Int

  /// - Parameter feather: pixels by which the edge of the mask is softened; see `Mask.feathered`.
  public init(
    _ edited: any PictureSource, over original: any PictureSource, outside mask: PictureMask, feather: Int = 0
  ) {
    precondition(edited.extent == original.extent && edited.extent == mask.extent && feather >= 0)
    (self.edited, self.original, self.mask, self.feather) = (edited, original, mask, feather)
  }

  public var extent: Extent { edited.extent }

  public var passBytes: Int {
    edited.passBytes + original.passBytes + Self.bytes(mask, feather: feather)
  }

  /// What pasting takes beside the passes of the two pictures, known before there is an edit.
  public static func bytes(_ mask: PictureMask, feather: Int) -> Int {
    mask.coverageBytes(feather: feather) + (3 + MemoryLayout<Float>.size) * mask.extent.width
  }

  public func pass() throws -> any RowPass {
    PastedRows(
      try edited.pass(), try original.pass(), try mask.coverage(feather: feather), width: extent.width)
  }
}

private final class PastedRows: RowPass {
  private let edited: any RowPass
  private let original: any RowPass
  private let coverage: any CoverageRows
  private var old: [UInt8]
  private var mask: [Float]

  init(_ edited: any RowPass, _ original: any RowPass, _ coverage: any CoverageRows, width: Int) {
    (self.edited, self.original, self.coverage) = (edited, original, coverage)
    old = [UInt8](repeating: 0, count: 3 * width)
    mask = [Float](repeating: 0, count: width)
  }

  func next(into row: UnsafeMutableBufferPointer<UInt8>) throws {
    try edited.next(into: row)
    try old.withUnsafeMutableBufferPointer { try original.next(into: $0) }
    try coverage.next(into: &mask)
    for (pixel, m) in mask.enumerated() where m != 1 {
      for i in 3 * pixel..<3 * pixel + 3 { row[i] = mixed(row[i], old[i], m) }
    }
  }
}

private func mixed(_ new: UInt8, _ old: UInt8, _ m: Float) -> UInt8 {
  m == 0 ? old : UInt8((Float(old) + m * (Float(new) - Float(old))).rounded())
}

extension Picture {
  /// Keeps this edit where the mask allows it and puts the original back elsewhere, as `PastedPicture` does.
  public mutating func pasteBack(_ original: Picture, outside mask: Mask) {
    precondition(original.width == width && original.height == height)
    precondition(mask.width == width && mask.height == height)
    for (pixel, m) in mask.values.enumerated() where m != 1 {
      for i in 3 * pixel..<3 * pixel + 3 { pixels[i] = mixed(pixels[i], original.pixels[i], m) }
    }
  }
}
