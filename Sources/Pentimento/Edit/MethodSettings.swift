import Editing

/// What a caller sets for a method; nil leaves the method's own default.
///
/// One type for all methods, since a command line is one; a method refuses what it has no use for.
public struct MethodSettings: Sendable, Equatable {
  /// N; iterations of an optimising method.
  public var steps: Int?
  /// w, weight of the target prompt.
  public var guidance: Double?
  /// Weight of the source prompt.
  public var sourceGuidance: Double?
  /// Part of the steps, from the noisy end, that is left out (0…1).
  public var skip: Double?
  /// Part of the schedule that is run (t₀, 0…1].
  public var strength: Double?
  public var eta: Double?
  public var sampler: Sampler?
  /// End edit-friendly inversion as its authors' code does, with a noise-free last step.
  public var endsWithoutNoise: Bool?

  public init() {}
}

/// Hands settings to a method and finds out which it did not take.
struct SettingsReader {
  private let settings: MethodSettings
  private var taken: Set<String> = []

  init(_ settings: MethodSettings) { self.settings = settings }

  /// Every setting, by the name of its flag.
  private static let all: [(flag: String, isSet: @Sendable (MethodSettings) -> Bool)] = [
    ("steps", { $0.steps != nil }), ("cfg-scale", { $0.guidance != nil }),
    ("source-cfg-scale", { $0.sourceGuidance != nil }), ("skip", { $0.skip != nil }),
    ("strength", { $0.strength != nil }), ("eta", { $0.eta != nil }), ("sampler", { $0.sampler != nil }),
    ("official-last-step", { $0.endsWithoutNoise != nil }),
  ]

  private static func flag(_ key: PartialKeyPath<MethodSettings>) -> String {
    switch key {
    case \MethodSettings.steps: "steps"
    case \MethodSettings.guidance: "cfg-scale"
    case \MethodSettings.sourceGuidance: "source-cfg-scale"
    case \MethodSettings.skip: "skip"
    case \MethodSettings.strength: "strength"
    case \MethodSettings.eta: "eta"
    case \MethodSettings.sampler: "sampler"
    default: "official-last-step"
    }
  }

  /// Puts a setting in place if the caller gave it.
  mutating func take<V>(_ key: KeyPath<MethodSettings, V?>, into place: inout V) {
    taken.insert(Self.flag(key))
    if let value = settings[keyPath: key] { place = value }
  }

  /// A setting that the method stores in another form.
  mutating func take<V>(_ key: KeyPath<MethodSettings, V?>) -> V? {
    taken.insert(Self.flag(key))
    return settings[keyPath: key]
  }

  /// - Throws: `RequestError.settingNotUsed` for a setting that the method did not take.
  func refuseTheRest(of method: String) throws {
    for (flag, isSet) in Self.all where isSet(settings) && !taken.contains(flag) {
      throw RequestError.settingNotUsed(
        setting: "--\(flag)", method: method, takes: taken.sorted().map { "--\($0)" })
    }
  }
}

/// Why a request cannot be run as it stands.
public enum RequestError: Error, Equatable, CustomStringConvertible {
  case unknownMethod(String, known: [String])
  case settingNotUsed(setting: String, method: String, takes: [String])
  case inputNotUsed(input: String, method: String)
  case missingInput(input: String, method: String)
  case emptyPrompt(method: String)
  case pictureSize(width: Int, height: Int, multiple: Int)
  case overBudget(stage: String, needed: Int, budget: Int)

  public var description: String {
    switch self {
    case .unknownMethod(let name, let known):
      "there is no method \"\(name)\": use \(known.joined(separator: ", "))"
    case .settingNotUsed(let setting, let method, let takes):
      "\(method) has no use for \(setting): it takes \(takes.joined(separator: ", "))"
    case .inputNotUsed(let input, let method):
      "\(method) has no use for \(input): leave it out"
    case .missingInput(let input, let method):
      "\(method) needs \(input): give one"
    case .emptyPrompt(let method):
      "\(method) needs a prompt that says something: describe the result with --prompt"
    case .pictureSize(let width, let height, let multiple):
      "a working size of \(width)×\(height) does not fit this model: both sides must be multiples of \(multiple)"
    case .overBudget(let stage, let needed, let budget):
      "the stage \"\(stage)\" needs \(needed >> 20) MB and \(budget >> 20) MB are allowed: "
        + "use a smaller --size or a larger budget"
    }
  }
}
