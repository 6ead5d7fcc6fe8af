import ArgumentParser
import Editing
import Pentimento

/// What the methods can be told: a declaration for every option of their tables, where its range, its sentence and who
/// takes it stand. (The parser finds options as stored properties; a test compares them with the tables.)
///
/// Numbers are parsed unconditionally: "-3" is a value, never an option, even where it is then refused.
struct SettingOptions: ParsableArguments {
  @Option(setting: "steps", or: "num-inference-steps") var steps: Double?
  @Option(setting: "cfg-scale", or: "guidance-scale", "cfg") var cfgScale: Double?
  @Option(setting: "source-cfg-scale") var sourceCfgScale: Double?
  @Option(setting: "skip") var skip: Double?
  @Option(setting: "strength", or: "denoising-strength") var strength: Double?
  @Option(setting: "eta") var eta: Double?
  @Option(setting: "sampler") var sampler: PictureSampler?
  @Option(setting: "embed-guidance") var embedGuidance: Double?
  @Option(setting: "order") var order: Double?
  @Option(setting: "learning-rate", or: "lr") var learningRate: Double?
  @Option(setting: "loss-scale") var lossScale: Double?
  @Option(setting: "concept-scale") var conceptScale: Double?
  @Option(setting: "concept-threshold") var conceptThreshold: Double?
  @Option(setting: "concept-warmup") var conceptWarmup: Double?
  @Option(setting: "concept-cooldown") var conceptCooldown: Double?
  @Option(setting: "momentum-scale") var momentumScale: Double?
  @Option(setting: "momentum-beta") var momentumBeta: Double?
  @Option(setting: "mask-mode") var maskMode: LEDITSPlusPlus.MaskMode?
  @Option(setting: "mask-maps") var maskMaps: Double?
  @Option(setting: "mask-strength") var maskStrength: Double?
  @Option(setting: "mask-cfg-scale") var maskCfgScale: Double?
  @Option(setting: "mask-ratio") var maskRatio: Double?
  @Flag(inversion: .prefixedNo, help: .setting("source-as-negative")) var sourceAsNegative: Bool?
  @Flag(inversion: .prefixedNo, help: .setting("soft-mask")) var softMask: Bool?
  @Flag(help: .setting("reference-blend")) var referenceBlend = false
  @Option(setting: "radius") var radius: Double?
  @Option(setting: "step-size") var stepSize: Double?
  @Option(setting: "copy-scale") var copyScale: Double?
  @Option(setting: "source-scale") var sourceScale: Double?
  @Option(setting: "lora-min") var loraMin: Double?
  @Option(setting: "zero-last") var zeroLast: Double?
  @Flag(help: .setting("official-last-step")) var officialLastStep = false
  @Option(
    help: .setting(MethodPreset.option),
    completion: .list(presetNames))
  var preset: String?
  @Option(setting: "interpolation") var interpolation: NumberList?
  @Option(setting: "inner-steps") var innerSteps: Double?
  @Option(setting: "weight-decay") var weightDecay: Double?
  @Option(setting: "loss") var loss: LossReduction?
  @Option(setting: "inversion-path") var inversionPath: PromptTuningInversion.Path?
  @Option(setting: "initial-embedding") var initialEmbedding: PromptTuningInversion.Prompt?
  @Option(setting: "early-stop") var earlyStop: Double?
  @Option(setting: "solver") var solver: DDPMInversion.Solver?
  @Option(setting: "max-norm") var maxNorm: Double?
  @Option(setting: "start") var start: InfEdit.Start?
  @Option(setting: "min-ratio") var minRatio: Double?
  @Option(setting: "max-ratio") var maxRatio: Double?
  @Option(setting: "prox") var prox: Proximity?
  @Option(setting: "quantile") var quantile: Double?
  @Option(setting: "recon-lr") var reconLr: Double?
  @Option(setting: "recon-t") var reconT: Double?
  @Option(setting: "dilate") var dilate: Double?

  /// What was given, by the options' names.
  var settings: MethodSettings {
    var settings: MethodSettings = [:]
    for (name, value) in Mirror(reflecting: self).children {
      guard let name, let value = (value as? any SettingOption)?.given else { continue }
      settings[String(kebab: name.drop { $0 == "_" })] = value
    }
    return settings
  }

  /// Of the section of the help that has them.
  static let title = "Settings of the methods"

  /// The setting that may have several values.
  static let listed = "interpolation"

  /// Its values, where there are several.
  ///
  /// - Throws: `ValidationError` for more than anybody looks at.
  var list: [Double] {
    get throws {
      guard let numbers = interpolation?.numbers, numbers.count > 1 else { return [] }
      guard numbers.count <= 16 else { throw ValidationError("--\(Self.listed) takes up to 16 values") }
      return numbers
    }
  }

  /// Names of all that are declared.
  static var names: [String] {
    Mirror(reflecting: Self()).children.compactMap { name, value in
      value is any SettingOption ? name.map { String(kebab: $0.drop { $0 == "_" }) } : nil
    }
  }
}

/// A property wrapper of the parser that holds a setting.
private protocol SettingOption {
  var given: SettingValue? { get }
}

extension Option: SettingOption {
  fileprivate var given: SettingValue? {
    switch wrappedValue {
    case let number as Double: .number(number)
    case let list as NumberList: .number(list.numbers[0])
    case let word as String: .word(word)
    case let word as any SettingWord: .word(word.rawValue)
    default: nil
    }
  }
}

extension Flag: SettingOption {
  /// A plain flag that is not set is not given.
  fileprivate var given: SettingValue? {
    if Value.self == Bool.self { return wrappedValue as? Bool == true ? .flag(true) : nil }
    return (wrappedValue as? Bool).map(SettingValue.flag)
  }
}

extension Option where Value == Double? {
  fileprivate init(setting name: String, or others: String...) {
    let names = ([name] + others).map { NameSpecification.Element.customLong($0) }
    self.init(name: NameSpecification(names), parsing: .unconditional, help: .setting(name))
  }
}

extension Option {
  fileprivate init<Word: ExpressibleByArgument>(setting name: String) where Value == Word? {
    self.init(name: .customLong(name), help: .setting(name))
  }
}

/// A word of a setting.
private protocol SettingWord: ExpressibleByArgument, RawRepresentable where RawValue == String {}

/// A number, or several with commas between them for an edit with each.
struct NumberList: ExpressibleByArgument {
  var numbers: [Double]

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    numbers = parts.compactMap { Double($0) }
    guard numbers.count == parts.count else { return nil }
  }
}

extension Option where Value == NumberList? {
  fileprivate init(setting name: String) {
    self.init(
      name: .customLong(name), parsing: .unconditional, help: .setting(name))
  }
}

extension PictureSampler: SettingWord {}
extension LEDITSPlusPlus.MaskMode: SettingWord {}
extension LossReduction: SettingWord {}
extension PromptTuningInversion.Path: SettingWord {}
extension PromptTuningInversion.Prompt: SettingWord {}
extension DDPMInversion.Solver: SettingWord {}
extension InfEdit.Start: SettingWord {}
extension Proximity: SettingWord {}

/// The methods' tables, each made once: a method makes its own anew whenever it is asked, and there are forty options
/// to describe before the first argument is read.
private let tables = EditMethods.all.map { (about: $0.about, rows: $0.rows, options: $0.options, method: $0) }

/// What is said of every setting where all methods are at hand, worked out once: the parser makes its options many times.
private let meanings = Dictionary(
  uniqueKeysWithValues: EditMethods.all.options.map {
    ($0, SettingOptions.meaning(of: $0, among: EditMethods.all))
  })
private let presetNames = EditMethods.all.flatMap { $0.presets.map(\.name) }

extension ArgumentHelp {
  fileprivate static func setting(_ name: String) -> ArgumentHelp {
    ArgumentHelp(stringLiteral: meanings[name] ?? "")
  }
}

extension SettingOptions {
  /// Methods that take a setting.
  static func takers(of name: String) -> [any EditingMethod.Type] {
    tables.filter { $0.options.contains(name) }.map(\.method)
  }

  /// What the methods' tables say: who takes it where those are few, the first one's sentence, and the range.
  ///
  /// - Parameter methods: those that a command has.
  static func meaning(of name: String, among methods: [any EditingMethod.Type]) -> String {
    let own = Set(methods.names)
    let takers = tables.filter { own.contains($0.about.name) && $0.options.contains(name) }
    if name == MethodPreset.option { return presets(of: takers.map(\.method)) }
    guard let row = takers.first?.rows.first(where: { $0.options.contains(name) }) else { return "" }
    var text = row.option == name ? row.meaning : row.shorthand!.meaning
    if takers.count <= 3, takers.count < methods.count {
      text = takers.map(\.about.name).joined(separator: ", ") + ": " + text
    } else {
      text = text.prefix(1).uppercased() + text.dropFirst()
    }
    // A range that all of them share. The words of an enumeration are the parser's to tell.
    let rows = takers.flatMap { $0.rows.filter { $0.option == name } }
    if row.option == name, row.bounds != .any, rows.allSatisfy({ $0.bounds == row.bounds }) {
      text += " (\(([row.unit].compactMap { $0 } + ["\(row.bounds)"]).joined(separator: ", ")))"
    }
    return text + "." + (name == listed ? " Several with commas make a sheet." : "")
  }

  private static func presets(of takers: [any EditingMethod.Type]) -> String {
    let texts = takers.map { method in
      "\(method.about.name): " + method.presets.map { "\($0.name) (\($0.meaning))" }.joined(separator: ", ")
    }
    return "Values that go together, for " + texts.joined(separator: "; ") + "."
  }
}

extension ParsableArguments {
  /// Names of all options that are declared here.
  static var declaredNames: Set<String> {
    Set(
      Mirror(reflecting: Self()).children.compactMap { name, _ in
        name.map { String(kebab: $0.drop { $0 == "_" }) }
      })
  }
}

extension String {
  /// `maskRatio` → `mask-ratio`.
  fileprivate init(kebab name: Substring) {
    self = name.reduce(into: "") { $0 += $1.isUppercase ? "-\($1.lowercased())" : "\($1)" }
  }
}
