/// A JSON value, as configurations, vocabularies and shard indices hold them.
package enum JSONValue: Sendable, Equatable {
  case null
  case bool(Bool)
  case integer(Int)
  case real(Double)
  case string(String)
  case array([JSONValue])
  case object(JSONObject)

  /// Parses a whole file's text.
  ///
  /// - Parameter file: how errors name the file.
  package init(parsing bytes: [UInt8], file: String) throws(ConfigurationError) {
    var scanner = JSONScanner(bytes)
    do throws(JSONError) {
      self = try scanner.value()
      try scanner.expectEnd()
    } catch {
      throw ConfigurationError(error, file: file)
    }
  }

  /// How an error calls a value of this kind.
  package var kind: String {
    switch self {
    case .null: "null"
    case .bool(let value): "\(value)"
    case .integer(let value): "integer \(value)"
    case .real(let value): "number \(value)"
    case .string(let value): "string \"\(value)\""
    case .array: "list"
    case .object: "object"
    }
  }
}

/// As an error shows it: numbers as they are written, lists with what is in them.
extension JSONValue: CustomStringConvertible {
  package var description: String {
    switch self {
    case .null: "null"
    case .bool(let flag): "\(flag)"
    case .integer(let number): "\(number)"
    case .real(let number): Int(exactly: number).map(String.init) ?? "\(number)"
    case .string(let text): "\"\(text)\""
    case .array(let list): "[\(list.map(\.description).joined(separator: ", "))]"
    case .object: "an object"
    }
  }
}

/// The members of an object, in the order written.
package struct JSONObject: Sendable, Equatable {
  package private(set) var keys: [String] = []
  private var values: [String: JSONValue] = [:]

  package init() {}

  package subscript(key: String) -> JSONValue? { values[key] }

  /// - Returns: false, and changes nothing but the value, for a key that is there.
  mutating func insert(_ value: JSONValue, for key: String) -> Bool {
    guard values.updateValue(value, forKey: key) == nil else { return false }
    keys.append(key)
    return true
  }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
  package init(dictionaryLiteral members: (String, JSONValue)...) {
    for (key, value) in members {
      let isNew = insert(value, for: key)
      precondition(isNew, "\(key) stands twice")
    }
  }
}
