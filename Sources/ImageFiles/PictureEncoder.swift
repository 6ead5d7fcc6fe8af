import Pictures

/// Where encoded bytes go, in order, until it throws.
package typealias ByteSink = (UnsafeRawBufferPointer) throws -> Void

/// The formats that are written.
package enum PictureEncoding: Sendable, Equatable {
  case png
  /// Binary PPM for pictures, PGM for masks.
  case pnm
  /// Baseline. From 90 on every pixel has its own colour, below four share one.
  case jpeg(quality: Int)

  package static let usualQuality = 92

  /// By what follows the last dot of a file's name.
  ///
  /// - Parameter quality: of a JPEG, 1 to 100.
  /// - Throws: `unknownExtension`.
  package init(
    path: String, isMask: Bool = false, quality: Int = usualQuality
  ) throws(PictureFileError) {
    switch PictureFile.fileExtension(path) {
    case "png": self = .png
    case "jpg" where !isMask, "jpeg" where !isMask: self = .jpeg(quality: quality)
    case "ppm" where !isMask, "pgm" where isMask: self = .pnm
    default: throw .unknownExtension(path: path)
    }
  }
}

/// Turns rows into the bytes of a file.
///
/// Whoever wants several files, all of them or none, encodes each into a file of its own that has no name yet and
/// names them when all are whole.
package struct PictureEncoder: Sendable {
  package var encoding: PictureEncoding
  /// Texts in this order: chunks of a PNG, comments of a JPEG; PPM and PGM have no place for them.
  package var metadata: [(String, String)]
  /// Whether the EXIF of a photo goes with what is made of it.
  package var keepsEXIF: Bool

  /// - Throws: `invalidMetadata`, `decoderMissing` where the library for JPEG is not installed.
  package init(
    _ encoding: PictureEncoding, metadata: [(String, String)] = [], keepsEXIF: Bool = true
  ) throws(PictureFileError) {
    if encoding != .pnm { try PNGWriter.check(metadata) }
    if case .jpeg = encoding { try JPEGWriter.checkLibrary() }
    (self.encoding, self.metadata, self.keepsEXIF) = (encoding, metadata, keepsEXIF)
  }

  /// The same rows give the same bytes, in blocks of up to 64 kB. A `PhotoSource` keeps what the format has room for: a PNG
  /// colours, depth and transparency, a JPEG colours; transparency lies over white elsewhere.
  ///
  /// - Throws: what the source throws, what the sink throws.
  package func encode(_ picture: any PictureSource, into sink: @escaping ByteSink) throws {
    if let photo = picture as? any PhotoSource { return try encode(photo: photo, into: sink) }
    try write(picture, try picture.pass(), RasterLayout(channels: 3), color: .plain, exif: nil, into: sink)
  }

  /// Grey.
  package func encode(_ mask: any MaskSource, into sink: @escaping ByteSink) throws {
    try write(mask, try mask.pass(), RasterLayout(channels: 1), color: .plain, exif: nil, into: sink)
  }

  private func encode(photo: any PhotoSource, into sink: @escaping ByteSink) throws {
    let (format, width) = (photo.format, photo.extent.width)
    let exif = keepsEXIF ? photo.exif : nil
    switch encoding {
    case .png:
      let layout = RasterLayout(channels: format.channels, isDeep: format.isDeep)
      try write(photo, try photo.storedPass(), layout, color: photo.color, exif: exif, into: sink)
    case .pnm where photo.color.space == nil && !format.hasAlpha:
      let layout = RasterLayout(channels: 3, isDeep: format.isDeep)
      try write(photo, try photo.storedPass(), layout, color: .plain, exif: nil, into: sink)
    case .pnm:
      try write(photo, try photo.pass(), RasterLayout(channels: 3), color: .plain, exif: nil, into: sink)
    case .jpeg:
      // In the photo's own colours, of eight bits.
      let rows = try photo.storedPass()
      let plain = format == .plain ? rows : SeenRows(rows, format, nil, width: width)
      try write(photo, plain, RasterLayout(channels: 3), color: photo.color, exif: exif, into: sink)
    }
  }

  private func write(
    _ source: any RowSource, _ rows: any RowPass, _ layout: RasterLayout, color: PictureColor, exif: [UInt8]?,
    into sink: @escaping ByteSink
  ) throws {
    let extent = source.extent
    let writer: any RowWriter
    switch encoding {
    case .png:
      var chunks = try color.profile.map { [try PNGWriter.chunk(profile: $0)] } ?? []
      if let exif { chunks.append(("eXIf", exif)) }
      writer = try PNGWriter(extent, layout, metadata: metadata, chunks: chunks, into: sink)
    case .pnm: writer = try PNMWriter(extent, layout, into: sink)
    case .jpeg(let quality):
      let texts = metadata.map { JPEGWriter.comment($0.0, $0.1) }
      writer = try JPEGWriter(
        extent, quality: quality, profile: color.profile, exif: exif, comments: texts, into: sink)
    }
    var row = [UInt8](repeating: 0, count: layout.bytesPerPixel * extent.width)
    for _ in 0..<extent.height {
      try row.withUnsafeMutableBufferPointer { row in
        try rows.next(into: row)
        try writer.write(UnsafeBufferPointer(row))
      }
    }
    try writer.finish()
  }

  /// What encoding takes beside the source's `passBytes`: a row, the encoder.
  package static func bytes(
    _ encoding: PictureEncoding, _ extent: Extent, isMask: Bool = false, format: PixelFormat = .plain
  ) -> Int {
    let layout =
      isMask ? RasterLayout(channels: 1) : RasterLayout(channels: format.channels, isDeep: format.isDeep)
    let row = layout.bytesPerPixel * extent.width
    switch encoding {
    case .png: return row + PNGWriter.bytes(extent, layout)
    case .pnm: return row + SinkBox.blockBytes
    case .jpeg: return row + JPEGWriter.bytes(extent)
    }
  }
}

protocol RowWriter: AnyObject {
  func write(_ row: UnsafeBufferPointer<UInt8>) throws
  func finish() throws
}

/// Why an encoder gave up, where neither the source nor the sink did.
struct EncodingFailure: Error {
  var reason: String
}

/// A sink behind a buffer, for encoders that cannot be thrown through: the first error stays.
final class SinkBox {
  static let blockBytes = 1 << 16

  private let sink: ByteSink
  private var block: [UInt8] = []
  private(set) var failure: (any Error)?

  init(_ sink: @escaping ByteSink) {
    self.sink = sink
    block.reserveCapacity(Self.blockBytes)
  }

  /// False: see `failure`.
  func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var rest = bytes[...]
    while failure == nil, !rest.isEmpty {
      let part = rest.prefix(Self.blockBytes - block.count)
      block.append(contentsOf: part)
      rest = rest.dropFirst(part.count)
      if block.count == Self.blockBytes { send() }
    }
    return failure == nil
  }

  /// - Throws: `failure`.
  func flush() throws {
    if failure == nil, !block.isEmpty { send() }
    if let failure { throw failure }
  }

  private func send() {
    do { try block.withUnsafeBytes(sink) } catch { failure = error }
    block.removeAll(keepingCapacity: true)
  }
}
