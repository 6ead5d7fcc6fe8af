import Pictures
import Synchronization

/// What a file says of its picture before a pixel is decoded.
struct RasterHeader: Equatable, Sendable {
  enum Coding: Equatable, Sendable {
    case png(isInterlaced: Bool)
    /// Samples of 0…top from the byte `start` on.
    case pnm(top: Int, start: Int)
    case jpeg(JPEGHeader)
  }

  /// As the rows of the file lie.
  var stored: Extent
  var orientation: Orientation
  /// Per sample.
  var bits: Int
  var isGrey: Bool
  var hasAlpha: Bool
  var color: FileColor
  /// As the file has it.
  var exif: [UInt8]?
  var coding: Coding

  var extent: Extent { orientation.upright(stored) }
}

/// What rows of a file are decoded into.
struct RasterLayout: Equatable, Sendable {
  /// 1 (grey files only), 3 (RGB, alpha is dropped) or 4 (RGBA, PNG only).
  var channels: Int
  /// 16 bits, most significant byte first, instead of 8; of files that have more than 8.
  var isDeep = false

  var bytesPerPixel: Int { channels * (isDeep ? 2 : 1) }
}

/// An open picture of any format: upright rows, in the layout that is asked for, the same in every pass.
final class RasterFile: Sendable {
  let header: RasterHeader
  private let input: PictureInput
  let layout: RasterLayout
  /// Of the rows of the first pass that came to its end.
  private let digest = Mutex<UInt64?>(nil)

  var path: String { input.path }

  /// SHA-256 of the file that was opened.
  func fileHash() throws -> String { try input.hash() }

  /// - Parameter layout: what is wanted of a file.
  /// - Throws: why it is not a picture that can be read, `PictureFileError`.
  init(_ path: String, _ layout: (RasterHeader) -> RasterLayout) throws {
    input = try PictureInput(path)
    let cursor = InputCursor(input, bufferBytes: InputCursor.lookingBytes)
    let start = cursor.bytes(12)
    if let reason = cursor.failure { throw PictureFileError.unreadable(path: path, reason: reason) }
    header =
      switch PictureFormat(start: start) {
      case .png: try PNGReader.header(input)
      case .pnm: try PNMReader.header(input)
      case .jpeg: try JPEGReader.header(input)
      case .foreign(let name): throw PictureFileError.unsupported(path: path, format: name)
      case nil where start.isEmpty: throw PictureFileError.empty(path: path)
      case nil: throw PictureFileError.notAPicture(path: path)
      }
    self.layout = layout(header)
    let (width, height) = (header.stored.width, header.stored.height)
    guard max(width, height) <= PictureFile.maximumSide, width * height <= PictureFile.maximumArea else {
      throw PictureFileError.tooLarge(path: path, width: width, height: height)
    }
  }

  /// What a pass holds beside the row that it hands out; known from the header.
  var passBytes: Int {
    let whole = header.stored.width * header.stored.height * layout.bytesPerPixel
    switch header.coding {
    case .jpeg(let jpeg): return whole + JPEGReader.bytes(input, jpeg) + InputCursor.bytes(of: input)
    case .png(let isInterlaced):
      return (isInterlaced || !header.orientation.keepsRows ? whole : 0) + PNGReader.bytes(header)
        + InputCursor.bytes(of: input)
    case .pnm(let top, _): return PNMReader.bytes(header, top: top) + InputCursor.bytes(of: input)
    }
  }

  func pass() throws -> any RowPass { CheckedRows(try checked(rows), self, height: header.extent.height) }

  private func rows() throws -> any RowPass {
    switch header.coding {
    case .jpeg:
      return TurnedRows(try JPEGReader.whole(input, header, channels: layout.channels), header.orientation)
    case .png(isInterlaced: true):
      return TurnedRows(try PNGReader.whole(input, header, layout), header.orientation)
    case .png: return try turned(PNGReader.rows(input, header, layout))
    case .pnm(let top, let start):
      return PNMRows(input, header, top: top, start: start, isDeep: layout.isDeep)
    }
  }

  private func turned(_ rows: any RowPass) throws -> any RowPass {
    switch header.orientation {
    case .upright: return rows
    case .mirrored: return MirroredRows(rows, bytesPerPixel: layout.bytesPerPixel)
    default:
      let pixels = try PixelBuffer(header.stored, bytesPerPixel: layout.bytesPerPixel)
      for y in 0..<header.stored.height { try rows.next(into: pixels.row(y)) }
      return TurnedRows(pixels, header.orientation)
    }
  }

  /// A file that was whole once and is not any more has changed.
  fileprivate func checked<Result>(_ read: () throws -> Result) throws -> Result {
    do {
      return try read()
    } catch PictureFileError.damaged where digest.withLock({ $0 != nil }) {
      throw PictureFileError.changed(path: path)
    }
  }

  /// Throws `changed` unless every pass so far had the same rows.
  fileprivate func compare(_ rows: UInt64) throws {
    let first = digest.withLock { first in
      first = first ?? rows
      return first
    }
    guard first == rows else { throw PictureFileError.changed(path: path) }
  }
}

/// Rows on their way, compared with those of the first pass.
private final class CheckedRows: RowPass {
  private var rows: (any RowPass)?
  private let file: RasterFile
  private var left: Int
  private var digest = RowDigest()

  init(_ rows: any RowPass, _ file: RasterFile, height: Int) {
    (self.rows, self.file, left) = (rows, file, height)
  }

  func next(into row: UnsafeMutableBufferPointer<UInt8>) throws {
    guard let rows else { preconditionFailure("all rows have been read") }
    try file.checked { try rows.next(into: row) }
    digest.add(UnsafeRawBufferPointer(row))
    left -= 1
    guard left == 0 else { return }
    self.rows = nil  // what a decoder holds is not needed while the caller goes on
    try file.compare(digest.value)
  }
}
