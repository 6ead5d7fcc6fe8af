/// How the samples of a photo are stored: red, green, blue and perhaps alpha, in 8 or 16 bits.
public struct PixelFormat: Sendable, Equatable {
  /// Transparency behind the colours.
  public var hasAlpha: Bool
  /// 16 bits, the most significant byte first.
  public var isDeep: Bool

  public init(hasAlpha: Bool = false, isDeep: Bool = false) {
    (self.hasAlpha, self.isDeep) = (hasAlpha, isDeep)
  }

  /// Eight bits of red, green and blue.
  public static let plain = PixelFormat()

  public var channels: Int { hasAlpha ? 4 : 3 }
  public var bytesPerPixel: Int { channels * (isDeep ? 2 : 1) }
  /// The largest sample.
  public var top: Int { isDeep ? 65_535 : 255 }
}

/// What the numbers of a picture mean.
public struct PictureColor: Sendable, Equatable {
  /// Nil: sRGB, or something that is taken for it.
  public var space: ColorSpace?
  /// The ICC profile that goes where the pixels go; nil for none.
  public var profile: [UInt8]?

  public init(space: ColorSpace? = nil, profile: [UInt8]? = nil) {
    (self.space, self.profile) = (space, profile)
  }

  /// Without a word about it.
  public static let plain = PictureColor()
}

/// A picture that is stored with more than the networks see of it.
///
/// As a `PictureSource` it is what they see: eight bits of sRGB, transparency laid over white. Its stored rows are what
/// its file has, so that a part of them can be put back sample by sample.
public protocol PhotoSource: PictureSource {
  var format: PixelFormat { get }
  var color: PictureColor { get }
  /// What the camera noted (EXIF, a TIFF structure), as it goes with an edit of the photo; nil for nothing.
  var exif: [UInt8]? { get }

  /// What a pass over the stored rows holds beside a row, at most: bytes.
  var storedPassBytes: Int { get }

  /// Starts at the first row, of `format` and `color`. Wholly transparent pixels have the colours of the file.
  func storedPass() throws -> any RowPass
}

/// A picture of which nothing is stored but what is seen.
public struct PlainPhoto: PhotoSource {
  private let picture: any PictureSource

  public init(_ picture: any PictureSource) { self.picture = picture }

  public var extent: Extent { picture.extent }
  public var passBytes: Int { picture.passBytes }
  public var format: PixelFormat { .plain }
  public var color: PictureColor { .plain }
  public var exif: [UInt8]? { nil }
  public var storedPassBytes: Int { picture.passBytes }
  public func pass() throws -> any RowPass { try picture.pass() }
  public func storedPass() throws -> any RowPass { try picture.pass() }
}

/// Samples of a row of `PixelFormat`, one at a time.
enum Samples {
  static func read(_ row: UnsafePointer<UInt8>, _ index: Int, isDeep: Bool) -> Int {
    isDeep ? Int(row[2 * index]) << 8 | Int(row[2 * index + 1]) : Int(row[index])
  }

  static func write(_ value: Int, _ row: UnsafeMutablePointer<UInt8>, _ index: Int, isDeep: Bool) {
    if isDeep {
      (row[2 * index], row[2 * index + 1]) = (UInt8(value >> 8), UInt8(value & 255))
    } else {
      row[index] = UInt8(value)
    }
  }

  /// round(value/257): 16 bits to 8.
  static func narrowed(_ value: Int) -> UInt8 { UInt8((value * 255 + 32_895) >> 16) }
}

/// Stored rows as the networks see them: transparency over white, then sRGB, then eight bits.
public final class SeenRows: RowPass {
  private let rows: any RowPass
  private let format: PixelFormat
  private let colors: ColorConversion?
  private var line: [UInt8]

  public init(_ rows: any RowPass, _ format: PixelFormat, _ space: ColorSpace?, width: Int) {
    (self.rows, self.format) = (rows, format)
    colors = space.map { ColorConversion(toStandard: $0, isDeep: format.isDeep) }
    line = [UInt8](repeating: 0, count: format.bytesPerPixel * width)
  }

  /// What it holds beside the stored rows.
  public static func bytes(_ format: PixelFormat, _ space: ColorSpace?, width: Int) -> Int {
    format.bytesPerPixel * width + (space == nil ? 0 : ColorConversion.bytes)
  }

  public func next(into row: UnsafeMutableBufferPointer<UInt8>) throws {
    try line.withUnsafeMutableBufferPointer { try rows.next(into: $0) }
    let (isDeep, top, channels) = (format.isDeep, format.top, format.channels)
    line.withUnsafeBufferPointer { line in
      let from = line.baseAddress!
      var pixel = (0, 0, 0)
      for x in 0..<row.count / 3 {
        let at = channels * x
        pixel.0 = Samples.read(from, at, isDeep: isDeep)
        pixel.1 = Samples.read(from, at + 1, isDeep: isDeep)
        pixel.2 = Samples.read(from, at + 2, isDeep: isDeep)
        if format.hasAlpha {
          let alpha = Samples.read(from, at + 3, isDeep: isDeep)
          if alpha != top {
            pixel.0 = overWhite(pixel.0, alpha, top)
            pixel.1 = overWhite(pixel.1, alpha, top)
            pixel.2 = overWhite(pixel.2, alpha, top)
          }
        }
        if let colors {
          colors.convert(&pixel)
        } else if isDeep {
          pixel.0 = Int(Samples.narrowed(pixel.0))
          pixel.1 = Int(Samples.narrowed(pixel.1))
          pixel.2 = Int(Samples.narrowed(pixel.2))
        }
        row[3 * x] = UInt8(pixel.0)
        row[3 * x + 1] = UInt8(pixel.1)
        row[3 * x + 2] = UInt8(pixel.2)
      }
    }
  }
}

/// round((alpha·colour + (top − alpha)·top)/top)
func overWhite(_ color: Int, _ alpha: Int, _ top: Int) -> Int {
  (alpha * color + (top - alpha) * top + top / 2) / top
}

/// The colour that laid over white looks like `seen`, as far as there is one; alpha is not 0.
func fromOverWhite(_ seen: Int, _ alpha: Int, _ top: Int) -> Int {
  let whole = seen * top - (top - alpha) * top
  return whole <= 0 ? 0 : min((whole + alpha / 2) / alpha, top)
}
