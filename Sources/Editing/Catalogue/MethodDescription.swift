/// A method and what it can be told, for programs: the words of its table in fields that later versions keep.
public struct MethodDescription: Sendable, Equatable, Encodable {
  /// The name for `--method`.
  public var name: String
  public var summary: String
  public var paper: String
  /// What it is good at; empty for baselines and for what makes a picture of a text alone.
  public var goals: [MethodSummary.Goal]
  public var needs: [MethodSummary.Need]
  public var accepts: [MethodSummary.Need]
  /// Network evaluations of one edit, as a formula and its value for the paper's defaults.
  public var evaluations: String
  public var settings: [Setting]
  public var presets: [Preset]

  /// A setting, in the unit in which its option takes it.
  public struct Setting: Sendable, Equatable, Encodable {
    /// The option without its dashes.
    public var option: String
    public var kind: Kind
    public var meaning: String
    /// What a number counts; missing where it is a factor or a part.
    public var unit: String?
    /// Of a word.
    public var values: [String]?
    /// Missing where a number has no end on this side.
    public var minimum: Double?
    public var maximum: Double?
    /// Whether the ends themselves are allowed.
    public var includesMinimum: Bool?
    public var includesMaximum: Bool?
    /// The paper's; missing where it follows from other settings.
    public var standard: SettingValue?
    /// How the value follows from other settings where it is not given.
    public var rule: String?
    /// Of the model that is used, where it has its own.
    public var modelDefault: SettingValue?
  }

  /// What a setting is.
  public enum Kind: String, Sendable, Encodable {
    case flag, number, word
    case wholeNumber = "whole number"
  }

  /// Values under one name.
  public struct Preset: Sendable, Equatable, Encodable {
    public var name: String
    public var meaning: String
    public var settings: MethodSettings
  }
}

extension EditingMethod {
  /// - Parameter model: the model's own defaults; nil where no model is at hand.
  package static func description(model: MethodSettings?) -> MethodDescription {
    MethodDescription(
      name: about.name, summary: about.summary, paper: about.paper, goals: about.goals, needs: about.needs,
      accepts: about.accepts, evaluations: about.evaluations,
      settings: rows.filter(\.isOption).flatMap { $0.described(model: model) },
      presets: presets.map { .init(name: $0.name, meaning: $0.meaning, settings: $0.settings) })
  }
}

extension ParameterRow {
  /// The setting, and the flag that stands for one of its values.
  fileprivate func described(model: MethodSettings?) -> [MethodDescription.Setting] {
    var setting = MethodDescription.Setting(option: option, kind: kind.described, meaning: meaning)
    setting.unit = unit
    if case .word(let words) = kind { setting.values = words }
    if kind.isNumber {
      setting.minimum = bounds.lower.isFinite ? bounds.lower : nil
      setting.maximum = bounds.upper.isFinite ? bounds.upper : nil
      setting.includesMinimum = setting.minimum.map { _ in bounds.includesLower }
      setting.includesMaximum = setting.maximum.map { _ in bounds.includesUpper }
    }
    setting.standard = standard.setting
    if case .derived(let rule) = standard { setting.rule = rule }
    setting.modelDefault = model?[option]
    guard let shorthand else { return [setting] }
    let flag = MethodDescription.Setting(option: shorthand.option, kind: .flag, meaning: shorthand.meaning)
    return [setting, flag]
  }
}

extension SettingValue.Kind {
  fileprivate var described: MethodDescription.Kind {
    switch self {
    case .flag: .flag
    case .number: .number
    case .wholeNumber: .wholeNumber
    case .word: .word
    }
  }
}
