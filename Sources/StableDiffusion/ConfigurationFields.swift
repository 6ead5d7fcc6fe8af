import FoundationEssentials

/// Any JSON value.
enum JSON: Decodable, Equatable {
  case null
  case flag(Bool)
  case number(Double)
  case text(String)
  case list([JSON])
  case object([String: JSON])

  init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if value.decodeNil() {
      self = .null
    } else if let flag = try? value.decode(Bool.self) {
      self = .flag(flag)
    } else if let number = try? value.decode(Double.self) {
      self = .number(number)
    } else if let text = try? value.decode(String.self) {
      self = .text(text)
    } else if let list = try? value.decode([JSON].self) {
      self = .list(list)
    } else {
      self = .object(try value.decode([String: JSON].self))
    }
  }
}

extension JSON: CustomStringConvertible {
  var description: String {
    switch self {
    case .null: "null"
    case .flag(let flag): "\(flag)"
    case .number(let number): Int(exactly: number).map(String.init) ?? "\(number)"
    case .text(let text): "\"\(text)\""
    case .list(let list): "[\(list.map(\.description).joined(separator: ", "))]"
    case .object: "an object"
    }
  }
}

/// The fields of one of a checkpoint's configuration files, asked for by name and kind.
///
/// A field that is missing takes the default, which is the one of the library that wrote the file.
struct ConfigurationFields {
  let file: String
  private let values: [String: JSON]

  init(_ data: Data, file: String) throws(ModelError) {
    guard let values = try? JSONDecoder().decode([String: JSON].self, from: data) else {
      throw .unreadable(file: file)
    }
    self.file = file
    self.values = values
  }

  /// nil where the field is missing or null.
  subscript(_ field: String) -> JSON? { values[field].flatMap { $0 == .null ? nil : $0 } }

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
    guard case .number(let number) = value, Float(number).isFinite else {
      throw malformed(field, "a number", value)
    }
    return number
  }

  /// The number of a word in a vocabulary.
  func token(_ field: String, default fallback: Int32) throws(ModelError) -> Int32 {
    let number = try number(field, default: Double(fallback))
    guard let token = Int32(exactly: number) else { throw malformed(field, "a token", .number(number)) }
    return token
  }

  func text(_ field: String, default fallback: String? = nil) throws(ModelError) -> String {
    guard let value = values[field] else { return try given(fallback, field) }
    guard case .text(let text) = value else { throw malformed(field, "a text", value) }
    return text
  }

  func flag(_ field: String, default fallback: Bool? = nil) throws(ModelError) -> Bool {
    guard let value = values[field] else { return try given(fallback, field) }
    guard case .flag(let flag) = value else { throw malformed(field, "true or false", value) }
    return flag
  }

  func counts(
    _ field: String, default fallback: [Int]? = nil, atMost limit: Int = most
  ) throws(ModelError) -> [Int] {
    guard let value = values[field] else { return try given(fallback, field) }
    guard case .list(let list) = value, !list.isEmpty else { throw malformed(field, "a list", value) }
    return try list.map { (item) throws(ModelError) in try count(item, field, atMost: limit) }
  }

  func texts(_ field: String, default fallback: [String]? = nil) throws(ModelError) -> [String] {
    guard let value = values[field] else { return try given(fallback, field) }
    guard case .list(let list) = value else { throw malformed(field, "a list of names", value) }
    return try list.map { (item) throws(ModelError) in
      guard case .text(let text) = item else { throw malformed(field, "a list of names", value) }
      return text
    }
  }

  /// A count for each of `levels`, written as one number for all or as a list.
  func counts(
    _ field: String, perLevel levels: Int, default fallback: Int, atMost limit: Int = most
  ) throws(ModelError) -> [Int] {
    guard case .list(let list) = values[field] else {
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
    guard case .list(let list) = values[field] else {
      return Array(repeating: try count(field, default: fallback, atMost: Self.mostLayers), count: layers)
    }
    guard list.count == levels else {
      throw inconsistent(field, "has \(list.count) entries for \(levels) levels")
    }
    guard case .list(let own) = list[level] else {
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
  func require(_ field: String, _ supported: JSON) throws(ModelError) {
    guard let value = self[field], value != supported else { return }
    if case .list(let list) = value, list.allSatisfy({ $0 == supported }) { return }
    throw unsupported(field, value, "\(supported)")
  }

  func unsupported(_ field: String, _ found: JSON, _ supported: String) -> ModelError {
    .unsupported(file: file, field: field, found: "\(found)", supported: supported)
  }

  func inconsistent(_ field: String, _ reason: String) -> ModelError {
    .inconsistent(file: file, field: field, reason: reason)
  }

  private func count(_ value: JSON, _ field: String, atMost limit: Int) throws(ModelError) -> Int {
    guard case .number(let number) = value, let count = Int(exactly: number), count >= 1 else {
      throw malformed(field, "a count", value)
    }
    guard count <= limit else { throw malformed(field, "a count up to \(limit)", value) }
    return count
  }

  private func given<T>(_ fallback: T?, _ field: String) throws(ModelError) -> T {
    guard let fallback else { throw .missing(file: file, field: field) }
    return fallback
  }

  private func malformed(_ field: String, _ expected: String, _ found: JSON) -> ModelError {
    .malformed(file: file, field: field, expected: expected, found: "\(found)")
  }
}
