import Pictures

/// Binary PGM (`P5`) and PPM (`P6`): a header of words, then rows of samples, most significant byte first.
enum PNMReader {
  static func header(_ input: PictureInput) throws -> RasterHeader {
    let cursor = InputCursor(input, bufferBytes: InputCursor.lookingBytes)
    let isGrey = cursor.bytes(2) == Array("P5".utf8)
    let width = try number(cursor, "width", in: 1...Int(Int32.max))
    let height = try number(cursor, "height", in: 1...Int(Int32.max))
    let top = try number(cursor, "largest value", in: 1...65_535)
    return RasterHeader(
      stored: Extent(width: width, height: height), orientation: .upright, bits: top > 255 ? 16 : 8,
      isGrey: isGrey, hasAlpha: false, color: .plain, exif: nil,
      coding: .pnm(top: top, start: cursor.position))
  }

  /// The next number, after white space and comments (`#` to the end of the line), and the one byte behind
  /// it.
  private static func number(
    _ cursor: InputCursor, _ name: String, in range: ClosedRange<Int>
  ) throws(PictureFileError) -> Int {
    func isSpace(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }
    var byte = cursor.nextByte()
    while let seen = byte, isSpace(seen) || seen == UInt8(ascii: "#") {
      if seen == UInt8(ascii: "#") {
        repeat { byte = cursor.nextByte() } while byte != nil && byte != 10 && byte != 13
      } else {
        byte = cursor.nextByte()
      }
    }
    var number: Int?
    while let seen = byte, let digit = Character(UnicodeScalar(seen)).wholeNumberValue, seen < 128 {
      number = min((number ?? 0) * 10 + digit, range.upperBound + 1)
      byte = cursor.nextByte()
    }
    guard let number, range.contains(number), let end = byte, isSpace(end) || end == UInt8(ascii: "#") else {
      throw cursor.damage("its header states no valid \(name)")
    }
    // A comment straight behind the number ends in the newline that separates it.
    if end == UInt8(ascii: "#") {
      repeat { byte = cursor.nextByte() } while byte != nil && byte != 10 && byte != 13
    }
    return number
  }

  /// The stored row and the table of levels.
  static func bytes(_ header: RasterHeader, top: Int) -> Int {
    header.stored.width * (header.isGrey ? 1 : 3) * (top > 255 ? 2 : 1) + 2 * (top + 1)
  }
}

/// Rows in as many channels as the file has.
final class PNMRows: RowPass {
  private let cursor: InputCursor
  private let height: Int
  private let top: Int
  /// Whether 16 bits are handed out, most significant byte first.
  private let isDeep: Bool
  /// What is handed out for each sample.
  private let levels: [UInt16]
  private var line: [UInt8]
  private var y = 0

  init(_ input: PictureInput, _ header: RasterHeader, top: Int, start: Int, isDeep: Bool) {
    cursor = InputCursor(input)
    cursor.skip(start)
    height = header.stored.height
    self.top = top
    self.isDeep = isDeep
    levels = (0...top).map { UInt16(($0 * (isDeep ? 65_535 : 255) + top / 2) / top) }
    line = [UInt8](repeating: 0, count: header.stored.width * (header.isGrey ? 1 : 3) * (top > 255 ? 2 : 1))
  }

  func next(into row: UnsafeMutableBufferPointer<UInt8>) throws {
    y += 1
    guard line.withUnsafeMutableBytes({ cursor.read(into: $0) }) == line.count else {
      throw cursor.damage("it ends in row \(y) of \(height)")
    }
    for i in 0..<row.count / (isDeep ? 2 : 1) {
      let value = top > 255 ? Int(line[2 * i]) << 8 | Int(line[2 * i + 1]) : Int(line[i])
      guard value <= top else { throw cursor.damage("row \(y) has the value \(value) above \(top)") }
      if isDeep {
        (row[2 * i], row[2 * i + 1]) = (UInt8(levels[value] >> 8), UInt8(levels[value] & 255))
      } else {
        row[i] = UInt8(levels[value])
      }
    }
  }
}
