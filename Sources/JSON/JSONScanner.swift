/// A strict reader of JSON (RFC 8259) that hands out one piece at a time.
///
/// Stricter than Foundation's where a weight file needs it: a key may appear once in an object, and nesting is
/// limited, so a hostile text can neither mean two things nor exhaust the stack. `NaN` and `Infinity` are no JSON.
package struct JSONScanner {
  static let deepest = 64
  /// Values in one text, of which CLIP's `tokenizer.json` has 200,000; read, they take 100 bytes each.
  static let most = 400_000

  let bytes: [UInt8]
  var offset = 0
  private var depth = 0
  private var values = 0

  package init(_ bytes: [UInt8]) { self.bytes = bytes }

  package func failure(_ text: String) -> JSONError { JSONError(reason: .syntax(text), offset: offset) }

  /// The next byte that is not white space.
  private mutating func peek() -> UInt8? {
    // In a local variable: a table of tensors is followed by a megabyte of spaces.
    var next = offset
    defer { offset = next }
    while next < bytes.count {
      switch bytes[next] {
      case 0x20, 0x09, 0x0A, 0x0D: next += 1
      default: return bytes[next]
      }
    }
    return nil
  }

  package mutating func expect(_ character: Unicode.Scalar) throws(JSONError) {
    guard peek() == UInt8(ascii: character) else { throw failure("expected \"\(character)\"") }
    offset += 1
  }

  package mutating func expectEnd() throws(JSONError) {
    guard peek() == nil else { throw failure("text after the end") }
  }

  /// The next byte inside a string, white space included.
  mutating func nextByte() throws(JSONError) -> UInt8 {
    guard offset < bytes.count else { throw failure("the text ends inside a string") }
    offset += 1
    return bytes[offset - 1]
  }

  // MARK: Objects and arrays

  /// Steps into an object or array. Leave it by asking for keys or elements until there are none.
  package mutating func open(_ bracket: Unicode.Scalar) throws(JSONError) {
    try expect(bracket)
    depth += 1
    guard depth <= Self.deepest else { throw failure("nested more than \(Self.deepest) deep") }
  }

  /// The next key of the open object, its colon consumed; nil after the last. `seen` starts empty.
  package mutating func nextKey(_ seen: inout Set<String>) throws(JSONError) -> String? {
    guard let key = try nextKey(isFirst: seen.isEmpty) else { return nil }
    guard seen.insert(key).inserted else { throw twice(key) }
    return key
  }

  /// The same for a caller that looks for keys that stand twice itself (`twice`).
  package mutating func nextKey(isFirst: Bool) throws(JSONError) -> String? {
    if peek() == UInt8(ascii: "}") {
      (offset, depth) = (offset + 1, depth - 1)
      return nil
    }
    if !isFirst { try expect(",") }
    let key = try string()
    try expect(":")
    return key
  }

  package func twice(_ key: String) -> JSONError { JSONError(reason: .duplicateKey(key), offset: offset) }

  /// Whether the open array has another element; `first` starts true.
  package mutating func nextElement(_ first: inout Bool) throws(JSONError) -> Bool {
    if peek() == UInt8(ascii: "]") {
      (offset, depth) = (offset + 1, depth - 1)
      return false
    }
    if !first {
      try expect(",")
      guard peek() != UInt8(ascii: "]") else { throw failure("a comma before \"]\"") }
    }
    first = false
    return true
  }

  // MARK: Values

  package mutating func value() throws(JSONError) -> JSONValue {
    values += 1
    guard values <= Self.most else { throw failure("more than \(Self.most) values") }
    return switch peek() {
    case UInt8(ascii: "{"): .object(try object())
    case UInt8(ascii: "["): .array(try array())
    case UInt8(ascii: "\""): .string(try string())
    case UInt8(ascii: "t"): try literal("true", .bool(true))
    case UInt8(ascii: "f"): try literal("false", .bool(false))
    case UInt8(ascii: "n"): try literal("null", .null)
    case nil: throw failure("the text ends early")
    default: try number()
    }
  }

  private mutating func object() throws(JSONError) -> JSONObject {
    var members = JSONObject()
    try open("{")
    while let key = try nextKey(isFirst: members.keys.isEmpty) {
      guard members.insert(try value(), for: key) else { throw twice(key) }
    }
    return members
  }

  private mutating func array() throws(JSONError) -> [JSONValue] {
    var elements: [JSONValue] = []
    var first = true
    try open("[")
    while try nextElement(&first) { elements.append(try value()) }
    return elements
  }

  private mutating func literal(_ text: String, _ value: JSONValue) throws(JSONError) -> JSONValue {
    guard bytes[offset...].starts(with: text.utf8) else { throw failure("unknown word") }
    offset += text.utf8.count
    return value
  }

  /// A number without fraction or exponent that fits `Int` is an integer.
  package mutating func number() throws(JSONError) -> JSONValue {
    _ = peek()
    let start = offset
    skip("-")
    let digits = try skipDigits()
    if digits > 1, bytes[offset - digits] == UInt8(ascii: "0") { throw failure("a number starts with zero") }
    var isInteger = true
    if skip(".") {
      isInteger = false
      _ = try skipDigits()
    }
    if skip("e") || skip("E") {
      isInteger = false
      if !skip("-") { skip("+") }
      _ = try skipDigits()
    }
    let text = String(decoding: bytes[start..<offset], as: UTF8.self)
    if isInteger, let integer = Int(text) { return .integer(integer) }
    guard let real = Double(text), real.isFinite else { throw failure("number \(text) is too large") }
    return .real(real)
  }

  /// An array of whole numbers that are not negative, as a shape is; no tensor has so many sizes as are refused.
  package mutating func sizes() throws(JSONError) -> [Int] {
    var sizes: [Int] = []
    var first = true
    try open("[")
    while try nextElement(&first) {
      guard sizes.count < Self.mostSizes else { throw failure("more than \(Self.mostSizes) sizes") }
      sizes.append(try size())
    }
    return sizes
  }

  private static let mostSizes = 16

  /// A whole number that is not negative.
  package mutating func size() throws(JSONError) -> Int {
    guard case .integer(let size) = try number(), size >= 0 else {
      throw failure("a size that is no whole number")
    }
    return size
  }

  @discardableResult private mutating func skip(_ character: Unicode.Scalar) -> Bool {
    guard offset < bytes.count, bytes[offset] == UInt8(ascii: character) else { return false }
    offset += 1
    return true
  }

  private mutating func skipDigits() throws(JSONError) -> Int {
    let start = offset
    while offset < bytes.count, (0x30...0x39).contains(bytes[offset]) { offset += 1 }
    guard offset > start else { throw failure("expected a value") }
    return offset - start
  }
}
