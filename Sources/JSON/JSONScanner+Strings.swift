extension JSONScanner {
  /// A string with its escapes resolved; it must be valid UTF-8 without bare control characters.
  package mutating func string() throws(JSONError) -> String {
    try expect("\"")
    var start = offset
    skipPlainCharacters()
    // A key, or a text without escapes, is taken as it lies there.
    var text: [UInt8] = []
    while try nextByte() == UInt8(ascii: "\\") {
      text += bytes[start..<offset - 1]
      try escape(&text)
      start = offset
      skipPlainCharacters()
    }
    let end = offset - 1
    guard bytes[end] == UInt8(ascii: "\"") else { throw failure("a control character inside a string") }
    let rest = bytes[start..<end]
    let string =
      text.isEmpty ? String(validating: rest, as: UTF8.self) : String(validating: text + rest, as: UTF8.self)
    guard let string else { throw failure("invalid UTF-8") }
    return string
  }

  /// To the next byte that ends a string, begins an escape or may not be in one.
  private mutating func skipPlainCharacters() {
    var next = offset
    while next < bytes.count, bytes[next] >= 0x20, bytes[next] != UInt8(ascii: "\""),
      bytes[next] != UInt8(ascii: "\\")
    { next += 1 }
    offset = next
  }

  /// What stands after a backslash.
  private mutating func escape(_ text: inout [UInt8]) throws(JSONError) {
    let byte = try nextByte()
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      var code = try fourHexDigits()
      if 0xD800..<0xDC00 ~= code {
        guard try nextByte() == UInt8(ascii: "\\"), try nextByte() == UInt8(ascii: "u") else {
          throw failure("half a surrogate pair")
        }
        let low = try fourHexDigits()
        guard 0xDC00..<0xE000 ~= low else { throw failure("half a surrogate pair") }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw failure("half a surrogate pair") }
      text += UTF8.encode(scalar)!  // of a scalar it never fails
    default: throw failure("unknown escape")
    }
  }

  private mutating func fourHexDigits() throws(JSONError) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      let digit: UInt8
      switch try nextByte() {
      case let byte where (0x30...0x39).contains(byte): digit = byte - 0x30
      case let byte where (0x41...0x46).contains(byte & 0xDF): digit = byte & 0xDF - 0x41 + 10
      default: throw failure("expected four hexadecimal digits")
      }
      code = code << 4 | UInt32(digit)
    }
    return code
  }
}
