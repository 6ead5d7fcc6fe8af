/// A value of a configuration together with the place it came from, so that an error can say
/// `unet/config.json: attention_head_dim: expected integer or list of integers, found string "8"`.
///
/// Stepping to a key that is missing is no error; asking for its value is. `null` counts as missing.
package struct ConfigValue: Sendable, Equatable {
  package let file: String
  /// Keys and positions from the top of the file: `down_block_types[1]`.
  package let path: String
  /// Nil where the file has nothing or `null`.
  package let value: JSONValue?

  package init(file: String, path: String = "", value: JSONValue?) {
    self.file = file
    self.path = path
    self.value = value == .null ? nil : value
  }

  /// A whole file's text.
  package init(parsing bytes: [UInt8], file: String) throws(ConfigurationError) {
    self.init(file: file, value: try JSONValue(parsing: bytes, file: file))
  }

  package var isPresent: Bool { value != nil }

  package subscript(key: String) -> ConfigValue {
    var member: JSONValue?
    if case .object(let members) = value { member = members[key] }
    return ConfigValue(file: file, path: path.isEmpty ? key : "\(path).\(key)", value: member)
  }

  /// Keys of an object, in the order written; none for any other value.
  package var keys: [String] {
    if case .object(let members) = value { members.keys } else { [] }
  }

  package var isObject: Bool {
    if case .object = value { true } else { false }
  }

  // MARK: One value

  package func integer() throws(ConfigurationError) -> Int {
    switch try present() {
    case .integer(let value): return value
    case .real(let value):
      guard let integer = Int(exactly: value) else { throw wrong("integer") }
      return integer
    default: throw wrong("integer")
    }
  }

  package func real() throws(ConfigurationError) -> Double {
    switch try present() {
    case .integer(let value): return Double(value)
    case .real(let value): return value
    default: throw wrong("number")
    }
  }

  package func bool() throws(ConfigurationError) -> Bool {
    if case .bool(let value) = try present() { return value }
    throw wrong("true or false")
  }

  package func string() throws(ConfigurationError) -> String {
    if case .string(let value) = try present() { return value }
    throw wrong("string")
  }

  // MARK: Lists

  package func elements() throws(ConfigurationError) -> [ConfigValue] {
    guard case .array(let values) = try present() else { throw wrong("list") }
    return values.enumerated().map { ConfigValue(file: file, path: "\(path)[\($0)]", value: $1) }
  }

  /// A list of integers; a single integer is a list of one.
  package func integers() throws(ConfigurationError) -> [Int] {
    switch try present() {
    case .integer(let value): return [value]
    case .array:
      var integers: [Int] = []
      for element in try elements() { integers.append(try element.integer()) }
      return integers
    default: throw wrong("integer or list of integers")
    }
  }

  /// A list of strings; a single string is a list of one.
  package func strings() throws(ConfigurationError) -> [String] {
    switch try present() {
    case .string(let value): return [value]
    case .array:
      var strings: [String] = []
      for element in try elements() { strings.append(try element.string()) }
      return strings
    default: throw wrong("string or list of strings")
    }
  }

  // MARK: Errors

  private func present() throws(ConfigurationError) -> JSONValue {
    guard let value else { throw .missingKey(file: file, key: path.isEmpty ? "the whole text" : path) }
    return value
  }

  /// An error about this value, for rules that go beyond its kind ("an even number", "one of …").
  package func wrong(_ expected: String) -> ConfigurationError {
    .wrongValue(file: file, key: path, expected: expected, found: value?.kind ?? "nothing")
  }
}
