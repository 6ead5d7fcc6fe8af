/// The value of a setting, as it is typed or as a model's defaults have it.
public enum SettingValue: Sendable, Hashable, Codable {
  case flag(Bool)
  case number(Double)
  case word(String)

  /// What a setting may be.
  public enum Kind: Sendable, Equatable {
    case flag
    case number
    case wholeNumber
    case word(of: [String])

    var isNumber: Bool { self == .number || self == .wholeNumber }

    var words: String {
      switch self {
      case .flag: "true or false"
      case .number: "a number"
      case .wholeNumber: "a whole number"
      case .word(let words): words.joined(separator: " or ")
      }
    }
  }

  public init(from decoder: any Swift.Decoder) throws {
    let value = try decoder.singleValueContainer()
    if let flag = try? value.decode(Bool.self) {
      self = .flag(flag)
    } else if let number = try? value.decode(Double.self) {
      self = .number(number)
    } else {
      self = .word(try value.decode(String.self))
    }
  }

  public func encode(to encoder: any Swift.Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .flag(let flag): try container.encode(flag)
    case .number(let number): try container.encode(number)
    case .word(let word): try container.encode(word)
    }
  }

  /// What a person means by a text: a number, true or false, or else a word.
  package init(parsing text: String) {
    self = Double(text).map(SettingValue.number) ?? Bool(text).map(SettingValue.flag) ?? .word(text)
  }

  var text: String {
    switch self {
    case .flag(let flag): "\(flag)"
    case .number(let number): "\(number)"
    case .word(let word): "\"\(word)\""
    }
  }
}

/// Settings by name.
public typealias MethodSettings = [String: SettingValue]

/// Why a setting cannot be what it was set to. Every case explains itself in a sentence.
public enum SettingError: Error, Equatable, CustomStringConvertible {
  case value(setting: String, value: String, allowed: String)
  case notUsed(setting: String, method: String, takes: [String])
  case idle(setting: String, method: String, reason: String)
  /// Two settings that mean one value and say two.
  case contradicts(setting: String, other: String)

  public var description: String {
    switch self {
    case .value(let setting, let value, let allowed):
      "\(setting) cannot be \(value): give \(allowed)"
    case .notUsed(let setting, let method, let takes):
      "\(method) has no use for the setting \(setting): it takes \(takes.joined(separator: ", "))"
    case .idle(let setting, let method, let reason):
      "\(method) has no use for the setting \(setting) \(reason): change that or leave the setting out"
    case .contradicts(let setting, let other):
      "\(setting) and \(other) say different things: give one of them"
    }
  }
}

extension SettingValue {
  func number(_ setting: String) throws(SettingError) -> Double {
    guard case .number(let number) = self else { throw wrong(setting, .number) }
    return number
  }

  func whole(_ setting: String) throws(SettingError) -> Int {
    guard case .number(let number) = self, let whole = Int(exactly: number) else {
      throw wrong(setting, .wholeNumber)
    }
    return whole
  }

  func flag(_ setting: String) throws(SettingError) -> Bool {
    guard case .flag(let flag) = self else { throw wrong(setting, .flag) }
    return flag
  }

  func word(_ setting: String, of words: [String]) throws(SettingError) -> String {
    guard case .word(let word) = self, words.contains(word) else { throw wrong(setting, .word(of: words)) }
    return word
  }

  private func wrong(_ setting: String, _ kind: Kind) -> SettingError {
    .value(setting: setting, value: text, allowed: kind.words)
  }
}
