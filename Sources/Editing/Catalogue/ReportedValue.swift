/// What a report says of one setting: a number where it is one, a choice, or the rule by which a value follows from others.
public enum ReportedValue: Sendable, Hashable, Codable {
  case one(SettingValue)
  /// One for every concept.
  case list([SettingValue])

  /// - Parameter text: as the setting's row writes it.
  package init(parsing text: String) { self = .one(SettingValue(reported: text)) }

  /// - Parameter texts: the same of every concept.
  package init(parsing texts: [String]) { self = .list(texts.map(SettingValue.init(reported:))) }

  public init(from decoder: any Swift.Decoder) throws {
    let one = try? SettingValue(from: decoder)
    self = try one.map(ReportedValue.one) ?? .list([SettingValue](from: decoder))
  }

  public func encode(to encoder: any Swift.Encoder) throws {
    switch self {
    case .one(let value): try value.encode(to: encoder)
    case .list(let values): try values.encode(to: encoder)
    }
  }
}

extension SettingValue {
  fileprivate init(reported text: String) {
    if let number = Double(text), number.isFinite {
      self = .number(number)
    } else {
      self = Bool(text).map(SettingValue.flag) ?? .word(text)
    }
  }
}
