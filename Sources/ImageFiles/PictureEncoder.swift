import Pictures

/// Where encoded bytes go, in order, until it throws.
package typealias ByteSink = (UnsafeRawBufferPointer) throws -> Void

/// The formats that are written.
package enum PictureEncoding: Sendable {
  case png
  /// Binary PPM for pictures, PGM for masks.
  case pnm

  /// By what follows the last dot of a file's name.
  ///
  /// - Throws: `unknownExtension`.
  package init(path: String, isMask: Bool = false) throws(PictureFileError) {
    switch PictureFile.fileExtension(path) {
    case "png": self = .png
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
  /// Text chunks of a PNG in this order; PPM and PGM have no place for it.
  package var metadata: [(String, String)]

  /// - Throws: `invalidMetadata`.
  package init(_ encoding: PictureEncoding, metadata: [(String, String)] = []) throws(PictureFileError) {
    if encoding == .png { try PNGWriter.check(metadata) }
    (self.encoding, self.metadata) = (encoding, metadata)
  }

  /// The same rows give the same bytes, in blocks of up to 64 kB.
  ///
  /// - Throws: what the source throws, what the sink throws.
  package func encode(_ picture: any PictureSource, into sink: @escaping ByteSink) throws {
    try encode(picture, channels: 3, into: sink)
  }

  /// Grey.
  package func encode(_ mask: any MaskSource, into sink: @escaping ByteSink) throws {
    try encode(mask, channels: 1, into: sink)
  }

  private func encode(_ source: any RowSource, channels: Int, into sink: @escaping ByteSink) throws {
    let rows = try source.pass()
    let writer: any RowWriter =
      switch encoding {
      case .png: try PNGWriter(source.extent, channels: channels, metadata: metadata, into: sink)
      case .pnm: try PNMWriter(source.extent, channels: channels, into: sink)
      }
    var row = [UInt8](repeating: 0, count: channels * source.extent.width)
    for _ in 0..<source.extent.height {
      try row.withUnsafeMutableBufferPointer { row in
        try rows.next(into: row)
        try writer.write(UnsafeBufferPointer(row))
      }
    }
    try writer.finish()
  }

  /// What encoding takes beside the source's `passBytes`: a row, the encoder.
  package static func bytes(_ encoding: PictureEncoding, _ extent: Extent, isMask: Bool = false) -> Int {
    let channels = isMask ? 1 : 3
    return channels * extent.width
      + (encoding == .png ? PNGWriter.bytes(extent, channels: channels) : SinkBox.blockBytes)
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
