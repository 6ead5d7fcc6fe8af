/// Values of a method that go together under one name: a published variant, or one of our own.
///
/// A preset is given as the setting `preset`. What is given beside it comes before its values, and those before what
/// the next layer says.
public struct MethodPreset: Sendable, Equatable {
  public let name: String
  /// Begins with a small letter and has no full stop.
  public let meaning: String
  /// A value for every option of the method but the number of steps.
  public let settings: MethodSettings

  /// The setting that names one.
  package static let option = "preset"
}

extension MethodPreset {
  /// - Parameter method: with the preset's values.
  init(_ name: String, _ meaning: String, _ method: some EditingMethod) {
    self.init(name, meaning, settings: method.presetSettings)
  }

  private init(_ name: String, _ meaning: String, settings: MethodSettings) {
    (self.name, self.meaning, self.settings) = (name, meaning, settings)
  }
}

extension EditingMethod {
  fileprivate var presetSettings: MethodSettings {
    let rows = Self.parameters.filter { $0.isOption && $0.option != "steps" }
    return Dictionary(
      uniqueKeysWithValues: rows.compactMap { row in row.value(in: self).setting.map { (row.option, $0) } })
  }
}

extension ParameterValue {
  /// As a setting; nil for what the method derives.
  var setting: SettingValue? {
    switch self {
    case .whole(let whole): .number(Double(whole))
    case .number(let number): .number(number)
    case .flag(let flag): .flag(flag)
    case .word(let word): .word(word)
    case .derived: nil
    }
  }
}

extension EditingMethod {
  /// The values of a preset that settings name, which then lack the name.
  ///
  /// - Throws: `SettingError.value` for a name that is none of the method's.
  static func preset(namedIn settings: inout MethodSettings) throws(SettingError) -> MethodSettings {
    guard !presets.isEmpty, let given = settings.removeValue(forKey: MethodPreset.option) else { return [:] }
    let word = try given.word(MethodPreset.option, of: presets.map(\.name))
    return presets.first { $0.name == word }!.settings
  }
}

extension EditMethod {
  func with(preset: String?) -> EditMethod {
    var method = self
    method.settings[MethodPreset.option] = preset.map(SettingValue.word)
    return method
  }
}
