import CPNG

extension PictureFile {
  /// Texts longer than this are passed over.
  private static let longestText = 4 << 20

  /// What a PNG or a JPEG has as text, with its keys, in the order of the file: chunks tEXt, zTXt and iTXt, comments. Others
  /// have none.
  ///
  /// - Throws: `PictureFileError` for a file that is neither a picture nor read.
  public static func texts(_ path: String) throws -> [(String, String)] { try texts(PictureInput(path)) }

  static func texts(_ input: PictureInput) throws -> [(String, String)] {
    let cursor = InputCursor(input, bufferBytes: InputCursor.lookingBytes)
    let start = cursor.bytes(12)
    if let failure = cursor.failure { throw PictureFileError.unreadable(path: input.path, reason: failure) }
    switch PictureFormat(start: start) {
    case .png: return pngTexts(InputCursor(input, bufferBytes: InputCursor.lookingBytes))
    case .jpeg: return jpegTexts(InputCursor(input, bufferBytes: InputCursor.lookingBytes))
    case .pnm: return []
    case .foreign(let name): throw PictureFileError.unsupported(path: input.path, format: name)
    case nil where start.isEmpty: throw PictureFileError.empty(path: input.path)
    case nil: throw PictureFileError.notAPicture(path: input.path)
    }
  }

  private static func pngTexts(_ cursor: InputCursor) -> [(String, String)] {
    var texts: [(String, String)] = []
    cursor.skip(8)
    while cursor.position + 12 <= cursor.input.byteCount {
      let head = cursor.bytes(8)
      guard head.count == 8 else { break }
      let length = head[..<4].reduce(0) { $0 << 8 | Int($1) }
      let name = String(decoding: head[4...], as: UTF8.self)
      var rest = length + 4
      if ["tEXt", "zTXt", "iTXt"].contains(name), length <= longestText {
        let data = cursor.bytes(length)
        rest -= data.count
        if let text = text(name, data) { texts.append(text) }
      }
      if name == "IEND" { break }
      cursor.skip(rest)
    }
    return texts
  }

  /// PNG, third edition, 11.3.3. Keys, and values of the two older chunks, are Latin-1.
  private static func text(_ chunk: String, _ data: [UInt8]) -> (String, String)? {
    func latin(_ bytes: some Sequence<UInt8>) -> String {
      String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
    }
    guard let end = data.prefix(80).firstIndex(of: 0) else { return nil }
    let key = latin(data[..<end])
    var value = data[(end + 1)...]
    switch chunk {
    case "tEXt": return (key, latin(value))
    case "zTXt": return value.first == 0 ? inflated(value.dropFirst()).map { (key, latin($0)) } : nil
    default:
      guard value.count >= 4 else { return nil }
      let isCompressed = value[value.startIndex] == 1
      value = value.dropFirst(2)
      // Language, translated key.
      for _ in 0..<2 {
        guard let zero = value.firstIndex(of: 0) else { return nil }
        value = value[(zero + 1)...]
      }
      guard let bytes = isCompressed ? inflated(value) : Array(value) else { return nil }
      return (key, String(decoding: bytes, as: UTF8.self))
    }
  }

  private static func inflated(_ stream: ArraySlice<UInt8>) -> [UInt8]? {
    let (stream, room) = (Array(stream), longestText)
    let bytes = [UInt8](unsafeUninitializedCapacity: room) { bytes, count in
      count = cpng_inflate(stream, stream.count, bytes.baseAddress, room)
    }
    return bytes.isEmpty ? nil : bytes
  }

  /// Comments before the pixels; one that fills its segment goes on in the next.
  private static func jpegTexts(_ cursor: InputCursor) -> [(String, String)] {
    var texts: [(String, String)] = []
    var comment: [UInt8] = []
    cursor.skip(2)
    while true {
      let head = cursor.bytes(4)
      guard head.count == 4, head[0] == 0xFF, ![0xDA, 0xD9].contains(head[1]) else { break }
      let length = Int(head[2]) << 8 + Int(head[3]) - 2
      guard length >= 0 else { break }
      guard head[1] == 0xFE, comment.count + length <= longestText else {
        cursor.skip(length)
        continue
      }
      let bytes = cursor.bytes(length)
      guard bytes.count == length else { break }
      comment += bytes
      guard length < JPEGWriter.longest else { continue }
      texts.append(JPEGWriter.text(of: String(decoding: comment, as: UTF8.self)))
      comment = []
    }
    return texts
  }
}
