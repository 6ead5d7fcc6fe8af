/// The text at the start of a safetensors file, as it is written (`SafetensorsHeader` reads it).
struct SafetensorsTable {
  private var members: [String] = []

  init(_ metadata: [String: String]) {
    guard !metadata.isEmpty else { return }
    let pairs = metadata.sorted { $0.key < $1.key }.map { "\(quoted($0.key)):\(quoted($0.value))" }
    members.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
  }

  /// - Parameter range: bytes from the start of the data.
  mutating func add(_ name: String, _ element: StoredElement, _ shape: [Int], _ range: Range<Int>) {
    precondition(name != "__metadata__", "a tensor cannot be called __metadata__")
    let sizes = shape.map(String.init).joined(separator: ",")
    members.append(
      "\(quoted(name)):{\"dtype\":\"\(element.rawValue)\",\"shape\":[\(sizes)],"
        + "\"data_offsets\":[\(range.lowerBound),\(range.upperBound)]}")
  }

  /// Length and text, padded with spaces so that the data starts at a multiple of `alignment`, at `capacity` if that
  /// is given.
  func header(alignedTo alignment: Int, capacity: Int? = nil) -> [UInt8] {
    var text = Array("{\(members.joined(separator: ","))}".utf8)
    var size = (8 + text.count + alignment - 1) / alignment * alignment
    if let capacity {
      precondition(size <= capacity, "a header of \(size) bytes in \(capacity)")
      size = capacity
    }
    text += [UInt8](repeating: 0x20, count: size - 8 - text.count)
    return littleEndian([UInt64(text.count)]) + text
  }
}

/// A JSON string.
private func quoted(_ text: String) -> String {
  var out = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"", "\\": out += "\\\(scalar)"
    case "\0"..<" ": out += "\\u00\(scalar.value < 16 ? "0" : "")\(String(scalar.value, radix: 16))"
    default: out.unicodeScalars.append(scalar)
    }
  }
  return out + "\""
}
