import Pictures
import Synchronization

/// What a file has beside eight bits of red, green and blue.
public struct PictureFacts: Sendable, Equatable {
  /// What becomes of its colours.
  public enum Colors: Sendable, Equatable {
    /// They are sRGB, or nothing is said of them.
    case standard
    /// From a profile of that name to sRGB and back.
    case converted(String)
    /// The profile is of a kind that is not understood: samples are taken for sRGB, and the profile goes with them.
    case carried(String)
    /// What is said of them is not understood, and cannot go with the result.
    case ignored(String)
  }

  /// Per sample. The networks see 8.
  public var bits: Int
  /// Transparency.
  public var hasAlpha: Bool
  public var colors: Colors
  /// The file is held otherwise than it is stored (EXIF); rows are handed out upright.
  public var isTurned: Bool

  init(_ header: RasterHeader) {
    bits = header.bits
    hasAlpha = header.hasAlpha
    colors =
      switch header.color {
      case .standard: .standard
      case .converted(_, _, let name): .converted(name)
      case .carried(_, let name): .carried(name)
      case .ignored(let name): .ignored(name)
      }
    isTurned = header.orientation != .upright
  }
}

/// A picture in a file that stays open, so that every pass reads the same file whatever happens to its name.
///
/// What the networks see of it is sRGB of eight bits, transparency laid over white. A pass that finds other pixels than the
/// first one throws `PictureFileError.changed` with its last row, or earlier.
public struct OpenPicture: PhotoSource {
  private let file: RasterFile
  private let alpha: PictureFile.Alpha
  public let color: PictureColor

  /// Reads the header.
  ///
  /// - Parameters:
  ///   - path: `-` for standard input, which is read to its end.
  ///   - alpha: what becomes of transparency.
  /// - Throws: `PictureFileError`; `SystemRefusal.openFiles`.
  public init(_ path: String, alpha: PictureFile.Alpha = .onWhite) throws {
    file = try RasterFile(path) { header in
      let channels = alpha == .onWhite && header.hasAlpha ? 4 : header.isGrey ? 1 : 3
      return RasterLayout(channels: channels, isDeep: header.bits > 8)
    }
    self.alpha = alpha
    color = file.header.color.color
  }

  public var path: String { file.path }
  public var facts: PictureFacts { PictureFacts(file.header) }
  public var extent: Extent { file.header.extent }
  public var format: PixelFormat {
    PixelFormat(hasAlpha: file.layout.channels == 4, isDeep: file.layout.isDeep)
  }

  /// The EXIF that goes with what is made of the picture: upright, of its size, without a small copy of it.
  public var exif: [UInt8]? { file.header.exif.flatMap { EXIF($0[...])?.edited(extent) } }

  /// SHA-256 of the file.
  package func fileHash() throws -> String { try file.fileHash() }

  public var storedPassBytes: Int {
    file.passBytes + (isGrey ? file.layout.bytesPerPixel * extent.width : 0)
  }

  public var passBytes: Int {
    isPlain ? storedPassBytes : storedPassBytes + SeenRows.bytes(format, color.space, width: extent.width)
  }

  private var isGrey: Bool { file.layout.channels == 1 }
  private var isPlain: Bool { format == .plain && color.space == nil }

  public func pass() throws -> any RowPass {
    isPlain ? try storedPass() : SeenRows(try storedPass(), format, color.space, width: extent.width)
  }

  public func storedPass() throws -> any RowPass {
    let rows = try file.pass()
    guard isGrey else { return rows }
    let bytes = file.layout.bytesPerPixel
    return ConvertedRows(rows, channels: bytes, width: extent.width) { from, to in
      for x in 0..<from.count / bytes {
        for i in 0..<3 * bytes { to[3 * bytes * x + i] = from[bytes * x + i % bytes] }
      }
    }
  }
}

/// A mask in a file that stays open, otherwise like `OpenPicture`.
///
/// Grey files are taken as they are, of colours the largest channel: red, green and blue count alike, so that a shape
/// in any of them is all there. Transparency is the mask where the colours say nothing: where everything that can
/// be seen has one colour, and alpha varies.
public struct OpenMask: MaskSource {
  private let file: RasterFile
  /// Nil until a pass over a file with transparency has shown it.
  private let settled: Settled

  private final class Settled: Sendable {
    let isAlpha = Mutex<Bool?>(nil)
  }

  /// Reads the header.
  ///
  /// - Throws: `PictureFileError`; `SystemRefusal.openFiles`.
  public init(_ path: String) throws {
    file = try RasterFile(path) { RasterLayout(channels: $0.hasAlpha ? 4 : $0.isGrey ? 1 : 3) }
    settled = Settled()
  }

  public var path: String { file.path }
  /// SHA-256 of the file.
  package func fileHash() throws -> String { try file.fileHash() }
  public var extent: Extent { file.header.extent }
  public var passBytes: Int {
    file.passBytes + (file.layout.channels == 1 ? 0 : file.layout.channels * extent.width)
  }
  public var comesFromAlpha: Bool { settled.isAlpha.withLock { $0 ?? false } }

  /// The first pass over a file with transparency is preceded by one that looks at all of it.
  public func pass() throws -> any RowPass {
    let width = extent.width
    switch file.layout.channels {
    case 1: return try file.pass()
    case 3: return ConvertedRows(try file.pass(), channels: 3, width: width, largestChannel(of: 3))
    default:
      let convert = try alphaIsMask() ? channel(3, of: 4) : largestChannel(of: 4)
      return ConvertedRows(try file.pass(), channels: 4, width: width, convert)
    }
  }

  private func alphaIsMask() throws -> Bool {
    if let known = settled.isAlpha.withLock({ $0 }) { return known }
    var survey = AlphaSurvey()
    let rows = try file.pass()
    var line = [UInt8](repeating: 0, count: 4 * extent.width)
    for _ in 0..<extent.height {
      try line.withUnsafeMutableBufferPointer { try rows.next(into: $0) }
      survey.add(line)
    }
    let found = survey.alphaVaries && !survey.colorsVary
    settled.isAlpha.withLock { $0 = found }
    return found
  }
}

/// What the pixels of a file with transparency have in common.
private struct AlphaSurvey {
  private(set) var alphaVaries = false
  /// Of pixels that are not wholly transparent.
  private(set) var colorsVary = false
  private var alpha: UInt8?
  private var color: (UInt8, UInt8, UInt8)?

  mutating func add(_ row: [UInt8]) {
    for i in stride(from: 0, to: row.count, by: 4) {
      if row[i + 3] != alpha ?? row[i + 3] { alphaVaries = true }
      alpha = alpha ?? row[i + 3]
      guard row[i + 3] > 0 else { continue }
      let here = (row[i], row[i + 1], row[i + 2])
      if let color, color != here { colorsVary = true }
      color = color ?? here
    }
  }
}

private typealias Conversion = (_ from: [UInt8], _ to: UnsafeMutableBufferPointer<UInt8>) -> Void

private func largestChannel(of channels: Int) -> Conversion {
  { from, to in
    for x in to.indices { to[x] = max(from[channels * x], from[channels * x + 1], from[channels * x + 2]) }
  }
}

private func channel(_ index: Int, of channels: Int) -> Conversion {
  { from, to in
    for x in to.indices { to[x] = from[channels * x + index] }
  }
}

/// Rows on their way from one number of channels to another.
private final class ConvertedRows: RowPass {
  private let rows: any RowPass
  private let convert: Conversion
  private var line: [UInt8]

  init(_ rows: any RowPass, channels: Int, width: Int, _ convert: @escaping Conversion) {
    (self.rows, self.convert) = (rows, convert)
    line = [UInt8](repeating: 0, count: channels * width)
  }

  func next(into row: UnsafeMutableBufferPointer<UInt8>) throws {
    try line.withUnsafeMutableBufferPointer { try rows.next(into: $0) }
    convert(line, row)
  }
}
