/// What a report says of one setting: a number where it is one.
public enum ReportedValue: Sendable, Hashable, Codable {
  case number(Double)
  case flag(Bool)
  /// A choice, or the rule by which a value follows from others.
  case word(String)
  /// One for every concept.
  case list([ReportedValue])

  /// - Parameter text: as the setting's row writes it.
  package init(parsing text: String) {
    if let number = Double(text), number.isFinite {
      self = .number(number)
    } else {
      self = Bool(text).map(ReportedValue.flag) ?? .word(text)
    }
  }

  public init(from decoder: any Swift.Decoder) throws {
    let value = try decoder.singleValueContainer()
    if let flag = try? value.decode(Bool.self) {
      self = .flag(flag)
    } else if let number = try? value.decode(Double.self) {
      self = .number(number)
    } else if let word = try? value.decode(String.self) {
      self = .word(word)
    } else {
      self = .list(try value.decode([ReportedValue].self))
    }
  }

  public func encode(to encoder: any Swift.Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .number(let number): try container.encode(number)
    case .flag(let flag): try container.encode(flag)
    case .word(let word): try container.encode(word)
    case .list(let list): try container.encode(list)
    }
  }
}
