import CPNG
import Pictures

/// Writes a PNG row by row; see `cpng.h`.
final class PNGWriter: RowWriter {
  private let writer: OpaquePointer
  private let output: SinkBox

  /// - Parameters:
  ///   - layout: of the rows; 1 channel, 3 or 4.
  ///   - chunks: that go before the pixels as they are.
  init(
    _ extent: Extent, _ layout: RasterLayout, metadata: [(String, String)], chunks: [(String, [UInt8])] = [],
    into sink: @escaping ByteSink
  ) throws {
    var texts: [CChar] = []
    for (key, value) in metadata {
      texts += (Array(key.utf8) + [0] + Array(value.utf8) + [0]).map(CChar.init(bitPattern:))
    }
    output = SinkBox(sink)
    // The box lives as long as this object, and the writer less long.
    guard let writer = cpng_writer_new(writeBytes, Unmanaged.passUnretained(output).toOpaque()) else {
      throw EncodingFailure(reason: "out of memory")
    }
    self.writer = writer
    try check(
      cpng_write_start(
        writer, UInt32(extent.width), UInt32(extent.height), layout.channels,
        layout.isDeep ? 16 : 8, texts, metadata.count))
    for (name, bytes) in chunks { try check(cpng_write_chunk(writer, name, bytes, bytes.count)) }
  }

  deinit { cpng_writer_free(writer) }

  func write(_ row: UnsafeBufferPointer<UInt8>) throws { try check(cpng_write_row(writer, row.baseAddress)) }

  func finish() throws {
    try check(cpng_write_end(writer))
    try output.flush()
  }

  private func check(_ success: Bool) throws {
    if let failure = output.failure { throw failure }
    if !success { throw EncodingFailure(reason: String(cString: cpng_writer_message(writer))) }
  }

  /// What libpng holds: five rows for the choice of a filter, and what deflate does.
  static func bytes(_ extent: Extent, _ layout: RasterLayout) -> Int {
    5 * (layout.bytesPerPixel * extent.width + 64) + (320 << 10) + SinkBox.blockBytes
  }

  /// A profile as its chunk, under a name that says nothing.
  static func chunk(profile: [UInt8]) throws -> (String, [UInt8]) {
    let room = cpng_deflate_room(profile.count)
    let stream = [UInt8](unsafeUninitializedCapacity: room) { bytes, count in
      count = cpng_deflate(profile, profile.count, bytes.baseAddress, room)
    }
    guard !stream.isEmpty else { throw EncodingFailure(reason: "out of memory") }
    return ("iCCP", Array("ICC".utf8) + [0, 0] + stream)
  }

  static func check(_ metadata: [(String, String)]) throws(PictureFileError) {
    for (key, value) in metadata where !isKey(key) || value.utf8.contains(0) {
      throw .invalidMetadata(key: key)
    }
  }

  /// PNG, third edition, 11.3.3.1, narrowed to ASCII: the same bytes in Latin-1 and UTF-8.
  private static func isKey(_ key: String) -> Bool {
    (1...79).contains(key.utf8.count) && key.utf8.allSatisfy { (32..<127).contains($0) }
      && !key.hasPrefix(" ") && !key.hasSuffix(" ")
      && !zip(key.utf8, key.utf8.dropFirst()).contains { $0 == (32, 32) }
  }
}

private let writeBytes: cpng_sink = { context, bytes, count in
  Unmanaged<SinkBox>.fromOpaque(context!).takeUnretainedValue()
    .write(UnsafeRawBufferPointer(start: bytes, count: count))
}
