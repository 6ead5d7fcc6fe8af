import FoundationEssentials
import JSON

/// The fields of one of a checkpoint's configuration files, asked for by name and kind.
///
/// A field that is missing takes the default, which is the one of the library that wrote the file.
struct ConfigurationFields {
  let file: String
  private let values: JSONObject

  init(_ data: Data, file: String) throws(ModelError) {
    guard case .object(let values)? = try? JSONValue(parsing: Array(data), file: file) else {
      throw .unreadable(file: file)
    }
    self.file = file
    self.values = values
  }

  /// nil where the field is missing or null.
  subscript(_ field: String) -> JSONValue? { values[field].flatMap { $0 == .null ? nil : $0 } }

  /// A count: at least 1, and small enough that products of counts cannot overflow.
  func count(
    _ field: String, default fallback: Int? = nil, atMost limit: Int = most
  ) throws(ModelError) -> Int {
    guard let value = values[field] else { return try given(fallback, field) }
    return try count(value, field, atMost: limit)
  }

  private static let most = 1 << 20
  /// Of blocks one after the other; a network is defined block by block before anything else is looked at.
  static let mostLayers = 100

  func number(_ field: String, default fallback: Double? = nil) throws(ModelError) -> Double {
    guard let value = values[field] else { return try given(fallback, field) }
    // Kernels take it in 32 bits.
    guard let number = value.number, Float(number).isFinite else {
      throw malformed(field, "a number", value)
    }
    return number
  }

  /// The number of a word in a vocabulary.
  func token(_ field: String, default fallback: Int32) throws(ModelError) -> Int32 {
    let number = try number(field, default: Double(fallback))
    guard let token = Int32(exactly: number) else { throw malformed(field, "a token", .real(number)) }
    return token
  }

  func text(_ field: String, default fallback: String? = nil) throws(ModelError) -> String {
    guard let value = values[field] else { return try given(fallback, field) }
    guard case .string(let text) = value else { throw malformed(field, "a text", value) }
    return text
  }

  func flag(_ field: String, default fallback: Bool? = nil) throws(ModelError) -> Bool {
    guard let value = values[field] else { return try given(fallback, field) }
    guard case .bool(let flag) = value else { throw malformed(field, "true or false", value) }
    return flag
  }

  func counts(
    _ field: String, default fallback: [Int]? = nil, atMost limit: Int = most
  ) throws(ModelError) -> [Int] {
    guard let value = values[field] else { return try given(fallback, field) }
    guard case .array(let list) = value, !list.isEmpty else { throw malformed(field, "a list", value) }
    return try list.map { (item) throws(ModelError) in try count(item, field, atMost: limit) }
  }

  func texts(_ field: String, default fallback: [String]? = nil) throws(ModelError) -> [String] {
    guard let value = values[field] else { return try given(fallback, field) }
    guard case .array(let list) = value else { throw malformed(field, "a list of names", value) }
    return try list.map { (item) throws(ModelError) in
      guard case .string(let text) = item else { throw malformed(field, "a list of names", value) }
      return text
    }
  }

  /// A count for each of `levels`, written as one number for all or as a list.
  func counts(
    _ field: String, perLevel levels: Int, default fallback: Int, atMost limit: Int = most
  ) throws(ModelError) -> [Int] {
    guard case .array(let list) = values[field] else {
      return Array(repeating: try count(field, default: fallback, atMost: limit), count: levels)
    }
    guard list.count == levels else {
      throw inconsistent(field, "has \(list.count) entries for \(levels) levels")
    }
    return try counts(field, atMost: limit)
  }

  /// A count for each of the layers of one level, written as one number for all levels, as one for each, or as a
  /// list for this level, of which what goes beyond the layers is not looked at.
  func counts(
    _ field: String, ofLevel level: Int, of levels: Int, layers: Int, default fallback: Int
  ) throws(ModelError) -> [Int] {
    guard case .array(let list) = values[field] else {
      return Array(repeating: try count(field, default: fallback, atMost: Self.mostLayers), count: layers)
    }
    guard list.count == levels else {
      throw inconsistent(field, "has \(list.count) entries for \(levels) levels")
    }
    guard case .array(let own) = list[level] else {
      return Array(repeating: try count(list[level], field, atMost: Self.mostLayers), count: layers)
    }
    guard own.count >= layers else {
      throw inconsistent(field, "has \(own.count) entries for \(layers) layers of level \(level)")
    }
    return try own.prefix(layers).map { (item) throws(ModelError) in
      try count(item, field, atMost: Self.mostLayers)
    }
  }

  func isNull(_ field: String) -> Bool { values[field] == .null }

  /// Refuses every value of a field but this one, null and its absence; a list must hold nothing else.
  func require(_ field: String, _ supported: JSONValue) throws(ModelError) {
    guard let value = self[field], !value.means(supported) else { return }
    if case .array(let list) = value, list.allSatisfy({ $0.means(supported) }) { return }
    throw unsupported(field, value, "\(supported)")
  }

  func unsupported(_ field: String, _ found: JSONValue, _ supported: String) -> ModelError {
    .unsupported(file: file, field: field, found: "\(found)", supported: supported)
  }

  func inconsistent(_ field: String, _ reason: String) -> ModelError {
    .inconsistent(file: file, field: field, reason: reason)
  }

  private func count(_ value: JSONValue, _ field: String, atMost limit: Int) throws(ModelError) -> Int {
    guard let number = value.number, let count = Int(exactly: number), count >= 1 else {
      throw malformed(field, "a count", value)
    }
    guard count <= limit else { throw malformed(field, "a count up to \(limit)", value) }
    return count
  }

  private func given<T>(_ fallback: T?, _ field: String) throws(ModelError) -> T {
    guard let fallback else { throw .missing(file: file, field: field) }
    return fallback
  }

  private func malformed(_ field: String, _ expected: String, _ found: JSONValue) -> ModelError {
    .malformed(file: file, field: field, expected: expected, found: "\(found)")
  }
}

extension JSONValue {
  fileprivate var number: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .real(let value): value
    default: nil
    }
  }

  /// Whether it is the same value; 1.0 is 1.
  fileprivate func means(_ other: JSONValue) -> Bool {
    if let number, let other = other.number { return number == other }
    return self == other
  }
}
