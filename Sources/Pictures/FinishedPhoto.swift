/// An edit in the file's own samples: colours, depth and transparency of the photo that it was made of.
///
/// Where the mask is 0 the photo's samples stay bit for bit; where a pixel is wholly transparent, everywhere: nobody
/// sees it, and the edit knew nothing of its colours. Elsewhere round(m·edited + (1 − m)·photo).
public struct FinishedPhoto: PhotoSource {
  private let edited: any PictureSource
  private let photo: any PhotoSource
  private let mask: EditCoverage?

  /// - Parameters:
  ///   - edited: sRGB, of the photo's size.
  ///   - mask: how much of the edit counts; nil: all of it.
  public init(_ edited: any PictureSource, of photo: any PhotoSource, within mask: EditCoverage? = nil) {
    precondition(edited.extent == photo.extent && mask.map { $0.extent == photo.extent } ?? true)
    (self.edited, self.photo, self.mask) = (edited, photo, mask)
  }

  public var extent: Extent { edited.extent }
  public var format: PixelFormat { photo.format }
  public var color: PictureColor { photo.color }
  public var exif: [UInt8]? { photo.exif }

  /// Whether the photo's own samples are needed for the result.
  private var readsPhoto: Bool { mask != nil || photo.format.hasAlpha }

  public var storedPassBytes: Int { edited.passBytes + Self.bytes(photo, mask: mask) }

  /// What it takes beside the pass of the edit, known before there is one.
  public static func bytes(_ photo: any PhotoSource, mask: EditCoverage?) -> Int {
    let width = photo.extent.width
    return (mask == nil && !photo.format.hasAlpha ? 0 : photo.storedPassBytes)
      + (mask.map { $0.bytes + MemoryLayout<Float>.size * width } ?? 0)
      + (photo.format.bytesPerPixel + 3) * width + (photo.color.space == nil ? 0 : ColorConversion.bytes)
      + SeenRows.bytes(photo.format, photo.color.space, width: width)
  }

  public var passBytes: Int { storedPassBytes }

  public func pass() throws -> any RowPass {
    SeenRows(try storedPass(), format, color.space, width: extent.width)
  }

  public func storedPass() throws -> any RowPass {
    FinishedRows(
      try edited.pass(), try readsPhoto ? photo.storedPass() : nil, try mask?.coverage(),
      format, color.space, width: extent.width)
  }
}

private final class FinishedRows: RowPass {
  private let edited: any RowPass
  private let photo: (any RowPass)?
  private let coverage: (any CoverageRows)?
  private let format: PixelFormat
  private let colors: ColorConversion?
  private var new: [UInt8]
  private var old: [UInt8]
  private var mask: [Float]

  init(
    _ edited: any RowPass, _ photo: (any RowPass)?, _ coverage: (any CoverageRows)?, _ format: PixelFormat,
    _ space: ColorSpace?, width: Int
  ) {
    (self.edited, self.photo, self.coverage, self.format) = (edited, photo, coverage, format)
    colors = space.map { ColorConversion(fromStandard: $0, isDeep: format.isDeep) }
    new = [UInt8](repeating: 0, count: 3 * width)
    old = [UInt8](repeating: 0, count: photo == nil ? 0 : format.bytesPerPixel * width)
    mask = [Float](repeating: 1, count: width)
  }

  func next(into row: UnsafeMutableBufferPointer<UInt8>) throws {
    try new.withUnsafeMutableBufferPointer { try edited.next(into: $0) }
    if let photo { try old.withUnsafeMutableBufferPointer { try photo.next(into: $0) } }
    try coverage?.next(into: &mask)
    if photo != nil {
      old.withUnsafeBufferPointer { old in
        for x in mask.indices { mix(x, old.baseAddress!, into: row.baseAddress!) }
      }
    } else {
      for x in mask.indices { put(color(x), x, into: row.baseAddress!) }
    }
  }

  /// The edit's pixel in the photo's colours and depth.
  private func color(_ x: Int) -> (Int, Int, Int) {
    var pixel = (Int(new[3 * x]), Int(new[3 * x + 1]), Int(new[3 * x + 2]))
    if let colors {
      colors.convert(&pixel)
    } else if format.isDeep {
      pixel = (257 * pixel.0, 257 * pixel.1, 257 * pixel.2)
    }
    return pixel
  }

  private func put(_ pixel: (Int, Int, Int), _ x: Int, into row: UnsafeMutablePointer<UInt8>) {
    let at = format.channels * x
    Samples.write(pixel.0, row, at, isDeep: format.isDeep)
    Samples.write(pixel.1, row, at + 1, isDeep: format.isDeep)
    Samples.write(pixel.2, row, at + 2, isDeep: format.isDeep)
  }

  private func mix(_ x: Int, _ old: UnsafePointer<UInt8>, into row: UnsafeMutablePointer<UInt8>) {
    let (m, at, isDeep, top) = (mask[x], format.channels * x, format.isDeep, format.top)
    let alpha = format.hasAlpha ? Samples.read(old, at + 3, isDeep: isDeep) : top
    let bytes = format.bytesPerPixel
    if m == 0 || alpha == 0 {
      for i in bytes * x..<bytes * (x + 1) { row[i] = old[i] }
      return
    }
    var pixel = color(x)
    if alpha != top {
      pixel.0 = fromOverWhite(pixel.0, alpha, top)
      pixel.1 = fromOverWhite(pixel.1, alpha, top)
      pixel.2 = fromOverWhite(pixel.2, alpha, top)
    }
    if m != 1 {
      pixel.0 = mixed(pixel.0, Samples.read(old, at, isDeep: isDeep), m)
      pixel.1 = mixed(pixel.1, Samples.read(old, at + 1, isDeep: isDeep), m)
      pixel.2 = mixed(pixel.2, Samples.read(old, at + 2, isDeep: isDeep), m)
    }
    put(pixel, x, into: row)
    if format.hasAlpha { Samples.write(alpha, row, at + 3, isDeep: isDeep) }
  }
}

private func mixed(_ new: Int, _ old: Int, _ m: Float) -> Int {
  Int((Float(old) + m * Float(new - old)).rounded())
}
