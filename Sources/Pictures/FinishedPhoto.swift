/// An edit in the file's own samples: colours, depth and transparency of the photo that it was made of.
///
/// Where the mask is 0 the photo's samples stay bit for bit; where a pixel is wholly transparent, everywhere: nobody
/// sees it, and the edit knew nothing of its colours. Elsewhere round(m·edited + (1 − m)·photo).
public struct FinishedPhoto: PhotoSource {
  private let edited: any PictureSource
  private let photo: any PhotoSource
  private let mask: EditCoverage?
  private let window: Window
  private let border: Int

  /// - Parameters:
  ///   - edited: sRGB, of the size of the window.
  ///   - mask: how much of the edit counts, of the same size; nil: all of it.
  ///   - window: the part of the photo that was edited; nil: all of it.
  ///   - border: pixels along the window's sides, inside the photo, over which the edit comes in.
  public init(
    _ edited: any PictureSource, of photo: any PhotoSource, within mask: EditCoverage? = nil,
    at window: Window? = nil, border: Int = 0
  ) {
    self.window = window ?? Window(x: 0, y: 0, extent: photo.extent)
    precondition(self.window.isInside(photo.extent) && edited.extent == self.window.extent)
    precondition(mask.map { $0.extent == edited.extent } ?? true)
    (self.edited, self.photo, self.mask, self.border) = (edited, photo, mask, border)
  }

  public var extent: Extent { photo.extent }
  public var format: PixelFormat { photo.format }
  public var color: PictureColor { photo.color }
  public var exif: [UInt8]? { photo.exif }

  /// Whether the photo's own samples are needed for the result.
  private var readsPhoto: Bool { mask != nil || photo.format.hasAlpha || window.extent != photo.extent }

  public var storedPassBytes: Int {
    edited.passBytes + Self.bytes(photo, mask: mask, isPart: window.extent != photo.extent)
  }

  /// What it takes beside the pass of the edit, known before there is one.
  public static func bytes(_ photo: any PhotoSource, mask: EditCoverage?, isPart: Bool = false) -> Int {
    let width = photo.extent.width
    return (mask == nil && !photo.format.hasAlpha && !isPart ? 0 : photo.storedPassBytes)
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
      format, color.space, window, of: extent, border: border)
  }
}

private final class FinishedRows: RowPass {
  private let edited: any RowPass
  private let photo: (any RowPass)?
  private let coverage: (any CoverageRows)?
  private let format: PixelFormat
  private let colors: ColorConversion?
  private let (window, whole): (Window, Extent)
  private let border: Int
  private var new: [UInt8]
  private var old: [UInt8]
  private var mask: [Float]
  private var y = 0

  init(
    _ edited: any RowPass, _ photo: (any RowPass)?, _ coverage: (any CoverageRows)?, _ format: PixelFormat,
    _ space: ColorSpace?, _ window: Window, of whole: Extent, border: Int
  ) {
    (self.edited, self.photo, self.coverage, self.format) = (edited, photo, coverage, format)
    (self.window, self.whole, self.border) = (window, whole, border)
    colors = space.map { ColorConversion(fromStandard: $0, isDeep: format.isDeep) }
    new = [UInt8](repeating: 0, count: 3 * window.extent.width)
    old = [UInt8](repeating: 0, count: photo == nil ? 0 : format.bytesPerPixel * whole.width)
    mask = [Float](repeating: 1, count: window.extent.width)
  }

  func next(into row: UnsafeMutableBufferPointer<UInt8>) throws {
    defer { y += 1 }
    if let photo { try old.withUnsafeMutableBufferPointer { try photo.next(into: $0) } }
    guard (window.y..<window.y + window.extent.height).contains(y) else {
      _ = row.update(fromContentsOf: old)
      return
    }
    try new.withUnsafeMutableBufferPointer { try edited.next(into: $0) }
    if let coverage {
      try coverage.next(into: &mask)
    } else if border > 0 {
      for x in mask.indices { mask[x] = 1 }
    }
    if border > 0 { bringIn() }
    if photo != nil {
      if window.extent.width < whole.width { _ = row.update(fromContentsOf: old) }
      let start = format.bytesPerPixel * window.x
      old.withUnsafeBufferPointer { old in
        for x in mask.indices { mix(x, old.baseAddress! + start, into: row.baseAddress! + start) }
      }
    } else {
      for x in mask.indices { put(color(x), x, into: row.baseAddress!) }
    }
  }

  /// Along the window's sides that are not the photo's.
  private func bringIn() {
    /// How far inside along one axis, 0…1.
    func part(_ i: Int, _ start: Int, _ length: Int, _ whole: Int) -> Float {
      let before = start == 0 ? border + 1 : i + 1
      let behind = start + length == whole ? border + 1 : length - i
      return min(1, Float(min(before, behind)) / Float(border + 1))
    }
    let down = part(y - window.y, window.y, window.extent.height, whole.height)
    for x in mask.indices { mask[x] *= min(down, part(x, window.x, window.extent.width, whole.width)) }
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
