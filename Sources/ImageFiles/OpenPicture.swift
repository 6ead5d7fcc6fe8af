import Pictures
import Synchronization

/// What a file has beside the pixels that are taken from it.
public struct PictureFacts: Sendable, Equatable {
  /// Per sample; more than 8 are rounded to 8.
  public var bits: Int
  /// Transparency.
  public var hasAlpha: Bool
  /// An ICC profile, or gamma or chromaticities in a PNG: colours are taken as they are stored.
  public var hasProfile: Bool
  /// The file is held otherwise than it is stored (EXIF); rows are handed out upright.
  public var isTurned: Bool

  init(_ header: RasterHeader) {
    bits = header.bits
    hasAlpha = header.hasAlpha
    hasProfile = header.hasProfile
    isTurned = header.orientation != .upright
  }
}

/// A picture in a file that stays open, so that every pass reads the same file whatever happens to its name.
///
/// A pass that finds other pixels than the first one throws `PictureFileError.changed` with its last row, or earlier.
public struct OpenPicture: PictureSource {
  private let file: RasterFile
  private let alpha: PictureFile.Alpha

  /// Reads the header.
  ///
  /// - Throws: `PictureFileError`; `SystemRefusal.openFiles`.
  public init(_ path: String, alpha: PictureFile.Alpha = .drop) throws {
    file = try RasterFile(path) { header in
      alpha == .onWhite && header.hasAlpha ? 4 : header.isGrey ? 1 : 3
    }
    self.alpha = alpha
  }

  public var path: String { file.path }
  public var facts: PictureFacts { PictureFacts(file.header) }
  public var extent: Extent { file.header.extent }
  public var passBytes: Int { file.passBytes + (channels == 3 ? 0 : channels * extent.width) }

  private var channels: Int { file.channels }

  public func pass() throws -> any RowPass {
    let rows = try file.pass()
    return switch channels {
    case 1:
      ConvertedRows(rows, channels: 1, width: extent.width) { from, to in
        for x in from.indices { (to[3 * x], to[3 * x + 1], to[3 * x + 2]) = (from[x], from[x], from[x]) }
      }
    case 4: ConvertedRows(rows, channels: 4, width: extent.width, layOverWhite)
    default: rows
    }
  }
}

/// RGBA → RGB: round((alpha·colour + (255 − alpha)·255)/255).
private func layOverWhite(_ from: [UInt8], _ to: UnsafeMutableBufferPointer<UInt8>) {
  for pixel in 0..<from.count / 4 {
    let alpha = Int(from[4 * pixel + 3])
    for c in 0..<3 {
      to[3 * pixel + c] = UInt8((alpha * Int(from[4 * pixel + c]) + (255 - alpha) * 255 + 127) / 255)
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
    file = try RasterFile(path) { header in header.hasAlpha ? 4 : header.isGrey ? 1 : 3 }
    settled = Settled()
  }

  public var path: String { file.path }
  public var extent: Extent { file.header.extent }
  public var passBytes: Int { file.passBytes + (file.channels == 1 ? 0 : file.channels * extent.width) }
  public var comesFromAlpha: Bool { settled.isAlpha.withLock { $0 ?? false } }

  /// The first pass over a file with transparency is preceded by one that looks at all of it.
  public func pass() throws -> any RowPass {
    let width = extent.width
    switch file.channels {
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
