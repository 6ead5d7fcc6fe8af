import CPNG
import Pictures

/// PNG through libpng; see `cpng.h` for what is converted to what.
enum PNGReader {
  static func header(_ input: PictureInput) throws -> RasterHeader {
    let header = try PNGStream(input, bufferBytes: InputCursor.lookingBytes).header
    let facts = PNGChunks(input)
    return RasterHeader(
      stored: Extent(width: Int(header.width), height: Int(header.height)), orientation: facts.orientation,
      bits: Int(header.bits), isGrey: header.grey, hasAlpha: header.alpha, color: facts.colors.color,
      exif: facts.exif?.tiff, coding: .png(isInterlaced: header.interlaced))
  }

  /// Rows from the top, as they are stored.
  static func rows(_ input: PictureInput, _ header: RasterHeader, _ layout: RasterLayout) throws
    -> any RowPass
  {
    PNGRows(try start(input, header, layout), height: header.stored.height)
  }

  /// All of an interlaced file.
  static func whole(_ input: PictureInput, _ header: RasterHeader, _ layout: RasterLayout) throws
    -> PixelBuffer
  {
    let stream = try start(input, header, layout)
    let pixels = try PixelBuffer(header.stored, bytesPerPixel: layout.bytesPerPixel)
    try stream.check(cpng_read_image(stream.reader, pixels.start))
    try stream.check(cpng_read_end(stream.reader))
    return pixels
  }

  /// What libpng holds: two rows of at most 8 bytes a pixel, the window and the tables of inflate, its own buffers.
  static func bytes(_ header: RasterHeader) -> Int { 16 * (header.stored.width + 16) + (96 << 10) }

  private static func start(
    _ input: PictureInput, _ header: RasterHeader, _ layout: RasterLayout
  ) throws -> PNGStream {
    let stream = try PNGStream(input, bufferBytes: InputCursor.readingBytes)
    let now = stream.header
    guard Int(now.width) == header.stored.width, Int(now.height) == header.stored.height,
      Int(now.bits) == header.bits, now.grey == header.isGrey, now.alpha == header.hasAlpha,
      header.coding == .png(isInterlaced: now.interlaced)
    else { throw PictureFileError.changed(path: input.path) }
    try stream.check(cpng_read_start(stream.reader, layout.channels, layout.isDeep))
    return stream
  }
}

/// An open libpng reader, behind the header.
private final class PNGStream {
  let reader: OpaquePointer
  private(set) var header = cpng_header()
  private let cursor: InputCursor

  init(_ input: PictureInput, bufferBytes: Int) throws {
    cursor = InputCursor(input, bufferBytes: bufferBytes)
    // The cursor lives as long as this object, and the reader less long.
    let context = Unmanaged.passUnretained(cursor).toOpaque()
    guard let reader = cpng_reader_new(readBytes, context) else {
      throw PictureFileError.damaged(path: input.path, reason: "out of memory")
    }
    self.reader = reader
    try check(cpng_read_header(reader, &header))
  }

  deinit { cpng_reader_free(reader) }

  func check(_ success: Bool) throws {
    if !success { throw cursor.damage(String(cString: cpng_reader_message(reader))) }
  }
}

private let readBytes: cpng_source = { context, bytes, count in
  let cursor = Unmanaged<InputCursor>.fromOpaque(context!).takeUnretainedValue()
  return cursor.read(into: UnsafeMutableRawBufferPointer(start: bytes, count: count))
}

private final class PNGRows: RowPass {
  private let stream: PNGStream
  private var left: Int

  init(_ stream: PNGStream, height: Int) { (self.stream, left) = (stream, height) }

  func next(into row: UnsafeMutableBufferPointer<UInt8>) throws {
    try stream.check(cpng_read_row(stream.reader, row.baseAddress))
    left -= 1
    if left == 0 { try stream.check(cpng_read_end(stream.reader)) }
  }
}
