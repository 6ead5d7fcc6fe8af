extension JSONValue {
  /// The value in one line of ASCII, members in their order: no line end, no escape code and no mark of direction stands in
  /// it as it is.
  package var text: String {
    switch self {
    case .null: "null"
    case .bool(let flag): "\(flag)"
    case .integer(let number): "\(number)"
    case .real(let number): number.isFinite ? "\(number)" : "null"
    case .string(let text): Self.quoted(text)
    case .array(let list): "[" + list.map(\.text).joined(separator: ", ") + "]"
    case .object(let object):
      "{" + object.keys.map { "\(Self.quoted($0)): \(object[$0]!.text)" }.joined(separator: ", ") + "}"
    }
  }

  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for unit in text.utf16 {
      switch unit {
      case 0x22: quoted += "\\\""
      case 0x5C: quoted += "\\\\"
      case 0x20..<0x7F: quoted.unicodeScalars.append(Unicode.Scalar(UInt8(unit)))
      default:
        let digits = String(unit, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      }
    }
    return quoted + "\""
  }
}

extension JSONObject {
  /// Sets a member; nil leaves it out. A new one stands behind the others.
  package mutating func set(_ key: String, _ value: JSONValue?) {
    if let value { _ = insert(value, for: key) }
  }
}
