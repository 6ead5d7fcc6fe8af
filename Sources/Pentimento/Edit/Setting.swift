import Editing

/// Everything about a method that a caller or a model may set; the raw value is its name on the command line and
/// in a model's defaults.
public enum Setting: String, Sendable, Hashable, CaseIterable, Codable {
  /// N; iterations of an optimising method.
  case steps
  /// w, weight of the target prompt.
  case guidance = "cfg-scale"
  /// Weight of the source prompt.
  case sourceGuidance = "source-cfg-scale"
  /// Part of the steps, from the noisy end, that is left out.
  case skip
  /// t₀, part of the schedule that is run.
  case strength
  case eta
  case sampler
  /// Order of the solver.
  case order
  case learningRate = "learning-rate"
  case lossScale = "loss-scale"
  case conceptScale = "concept-scale"
  case conceptThreshold = "concept-threshold"
  case conceptWarmup = "concept-warmup"
  case conceptCooldown = "concept-cooldown"
  case momentumScale = "momentum-scale"
  case momentumBeta = "momentum-beta"
  case maskMode = "mask-mode"
  case maskGuidance = "mask-cfg-scale"
  case maskMaps = "mask-maps"
  case maskStrength = "mask-strength"
  case maskRatio = "mask-ratio"
  /// DiffEdit's ODE: guidance points away from the source prompt.
  case sourceAsNegative = "source-as-negative"
  /// DiffEdit's ODE: blend one level too noisy, as a public pipeline does.
  case referenceBlend = "reference-blend"
  case radius
  case stepSize = "step-size"
  case copyScale = "copy-scale"
  case sourceScale = "source-scale"
  /// Drag: what the factor of LoRA files falls to.
  case minAdapterScale = "lora-min"
  /// End edit-friendly inversion as its authors' code does, with a noise-free last step.
  case officialLastStep = "official-last-step"
}

extension Setting {
  /// The setting behind a parameter of a method, which has the name that its paper gives it.
  public init?(parameter name: String) {
    switch name {
    case "guidance": self = .guidance
    case "source-guidance", "inversion-guidance": self = .sourceGuidance
    case "mask-guidance": self = .maskGuidance
    case "iterations": self = .steps
    case "keep-last-noise": self = .officialLastStep
    default: self.init(rawValue: name)
    }
  }
}

/// The value of a setting.
public enum SettingValue: Sendable, Hashable, Codable {
  case flag(Bool)
  case number(Double)
  case word(String)

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
}

/// Settings by name.
public typealias MethodSettings = [Setting: SettingValue]

/// Hands settings to a method: the caller's before those of a given inversion, these before the model's, and none
/// where the method's own default holds.
///
/// Remembers what was taken, so that a setting without effect is refused and the report can say whose default it was.
struct SettingsReader {
  /// Whose value a setting has.
  enum Source: String, Sendable, Codable { case caller, inversion, model }

  private let caller: MethodSettings
  private let inversion: MethodSettings
  private let model: MethodSettings
  private(set) var taken: Set<Setting> = []
  private(set) var sources: [Setting: Source] = [:]

  init(caller: MethodSettings, inversion: MethodSettings = [:], model: MethodSettings) {
    self.caller = caller
    self.inversion = inversion
    self.model = model
  }

  /// Marks a setting as taken and returns its value.
  private mutating func value(_ setting: Setting) -> SettingValue? {
    taken.insert(setting)
    if let value = caller[setting] {
      sources[setting] = .caller
      return value
    }
    if let value = inversion[setting] {
      sources[setting] = .inversion
      return value
    }
    if model[setting] != nil { sources[setting] = .model }
    return model[setting]
  }

  mutating func take(_ setting: Setting, into place: inout Double) throws {
    guard let value = value(setting) else { return }
    guard case .number(let number) = value else { throw wrong(setting, value, "a number") }
    place = number
  }

  mutating func take(_ setting: Setting, into place: inout Double?) throws {
    var number = place ?? 0
    try take(setting, into: &number)
    if sources[setting] != nil { place = number }
  }

  mutating func take(_ setting: Setting, into place: inout Int) throws {
    var number = Double(place)
    try take(setting, into: &number)
    guard let whole = Int(exactly: number) else { throw wrong(setting, .number(number), "a whole number") }
    place = whole
  }

  mutating func take(_ setting: Setting, into place: inout Int?) throws {
    var number = place ?? 0
    try take(setting, into: &number)
    if sources[setting] != nil { place = number }
  }

  mutating func take(_ setting: Setting, into place: inout Bool) throws {
    guard let value = value(setting) else { return }
    guard case .flag(let flag) = value else { throw wrong(setting, value, "true or false") }
    place = flag
  }

  mutating func take<W: RawRepresentable & CaseIterable>(_ setting: Setting, into place: inout W) throws
  where W.RawValue == String {
    guard let value = value(setting) else { return }
    guard case .word(let text) = value, let word = W(rawValue: text) else {
      throw wrong(setting, value, W.allCases.map(\.rawValue).joined(separator: " or "))
    }
    place = word
  }

  /// Refuses settings of the caller's that the method has, but for which the rest of the request leaves no use.
  ///
  /// - Parameter reason: "with …" or "without …".
  /// - Throws: `RequestError.settingIdle`.
  func refuse(_ idle: Setting..., of method: String, _ reason: String) throws {
    for setting in idle where caller[setting] != nil {
      throw RequestError.settingIdle(setting: setting.rawValue, method: method, reason: reason)
    }
  }

  private func wrong(_ setting: Setting, _ value: SettingValue, _ allowed: String) -> RequestError {
    .settingValue(setting: setting.rawValue, value: "\(value.text)", allowed: allowed)
  }

  /// - Throws: `RequestError.settingNotUsed` for one of the caller's settings that the method did not take.
  func refuseTheRest(of method: String) throws {
    for setting in caller.keys.sorted(by: { $0.rawValue < $1.rawValue }) where !taken.contains(setting) {
      throw RequestError.settingNotUsed(
        setting: setting.rawValue, method: method, takes: taken.map(\.rawValue).sorted())
    }
  }
}

extension SettingValue {
  fileprivate var text: String {
    switch self {
    case .flag(let flag): "\(flag)"
    case .number(let number): "\(number)"
    case .word(let word): "\"\(word)\""
    }
  }
}
