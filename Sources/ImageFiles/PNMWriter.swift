import Pictures

/// Writes binary PGM (1 channel) or PPM (3), largest value 255 or 65 535.
final class PNMWriter: RowWriter {
  private let output: SinkBox

  init(_ extent: Extent, _ layout: RasterLayout, into sink: @escaping ByteSink) throws {
    output = SinkBox(sink)
    let header =
      "P\(layout.channels == 1 ? 5 : 6)\n\(extent.width) \(extent.height)\n\(layout.isDeep ? 65_535 : 255)\n"
    try Array(header.utf8).withUnsafeBytes(write)
  }

  func write(_ row: UnsafeBufferPointer<UInt8>) throws { try write(UnsafeRawBufferPointer(row)) }

  func finish() throws { try output.flush() }

  private func write(_ bytes: UnsafeRawBufferPointer) throws {
    if !output.write(bytes), let failure = output.failure { throw failure }
  }
}
