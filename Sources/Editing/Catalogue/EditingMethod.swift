import Tensors

/// An editing method: its values, what can be said about it before it runs, and its one entry point.
///
/// A method is one file and one line in `EditMethods.all`; names, checks, listing, defaults, reports, saved inversions
/// and parity cases follow from `about` and `parameters`.
public protocol EditingMethod: Sendable {
  /// With the defaults of its paper.
  init()
  static var about: MethodSummary { get }
  /// One row for every value.
  static var parameters: [Parameter<Self>] { get }
  /// Sets of values under one name.
  static var presets: [MethodPreset] { get }
  /// The kinds of parity cases that are run by it, each with what the kind alone says.
  static var caseKinds: [String: Self] { get }
  /// Defaults on models of a kind, where they are not the paper's.
  ///
  /// - Parameter given: what was given for this run.
  static func defaults(of kind: ModelKind, beside given: MethodSettings) -> MethodSettings
  /// Whether its runs keep their own progress in the journal. Of all others the network's answers are kept there
  /// (`RecordedAnswers`).
  static var keepsProgress: Bool { get }
  /// Refuses, with a sentence, what `run` could not do or what would return the input.
  func validate(_ outline: EditOutline, on schedule: NoiseSchedule) throws(EditError)
  /// Network evaluations of a run.
  func evaluations(_ outline: EditOutline) -> Int
  /// Bytes that a run stores beside the latents of the current step: residuals, paths. An inversion that is given is
  /// not counted.
  func storageBytes(_ outline: EditOutline, height: Int, width: Int, channels: Int) -> Int
  /// Gradients of the network in a run.
  func gradients(_ outline: EditOutline) -> Int
  /// Evaluations that it asks for at once, in one list, in most of its steps: so many can share a pass over the weights.
  func evaluationsAtOnce(_ outline: EditOutline) -> Int
  /// How a mask becomes as small as the latent.
  var maskRule: MaskRule { get }
  /// What it asks of the noise network beside its answers.
  func demands(_ outline: EditOutline) -> NetworkDemands
  /// - Throws: what the predictor throws; `EditError` for inputs that are missing or do not fit, and for a run that
  ///   leads nowhere.
  func run(_ inputs: EditInputs, in context: EditContext) async throws -> Latent
}

/// What a method asks of the noise network beside its answers.
public struct NetworkDemands: OptionSet, Sendable {
  public let rawValue: Int
  public init(rawValue: Int) { self.rawValue = rawValue }

  /// Cross-attention maps.
  public static let attentionMaps = NetworkDemands(rawValue: 1)
  /// Activations in floats, whatever the weights are stored as: the arithmetic of gradients.
  public static let floats = NetworkDemands(rawValue: 2)
  /// Gradients with respect to the context.
  public static let contextGradient = NetworkDemands(rawValue: 4)
  /// Nothing at all: a translation network does the work.
  public static let translator = NetworkDemands(rawValue: 8)
}

/// A method in words, and what it makes of a mask.
public struct MethodSummary: Sendable, Equatable {
  /// What a method is given.
  public enum Need: String, Sendable, Codable, CaseIterable {
    case image
    case sourcePrompt = "source prompt"
    case targetPrompt = "target prompt"
    case mask, points, concepts, translator
    case lora = "LoRA of the picture"
  }

  /// What a method is good at.
  public enum Goal: String, Sendable, Codable, CaseIterable {
    /// Another colour or material of the same thing.
    case colour
    /// Another thing, or one that was not there.
    case object
    case style
    /// A thing at another place.
    case move
    /// A thing gone.
    case remove
    /// Few network evaluations.
    case fast
  }

  /// Whether a method finds a mask where none is given.
  public enum MaskFinding: Sendable {
    case never
    /// Where the request asks for it.
    case onRequest
    case always
    /// Nothing binds it: where it acted is known at the end.
    case inHindsight
  }

  public var name: String
  public var summary: String
  public var paper: String
  /// Empty for a baseline, and for what makes a picture of nothing but text.
  public var goals: [Goal] = []
  public var needs: [Need]
  /// What it can use beside.
  public var accepts: [Need] = []
  /// A prompt that is empty or blank would lead nowhere.
  public var needsWords = false
  public var samplers: [Sampler] = []
  /// How a mask becomes as small as the latent, unless the method's settings say otherwise.
  public var maskRule = MaskRule.soft
  public var findsMask = MaskFinding.never
  /// Network evaluations of one edit: a formula, and its value for the defaults.
  public var evaluations: String

  public init(
    name: String, summary: String, paper: String, goals: [Goal] = [], needs: [Need],
    accepts: [Need] = [], needsWords: Bool = false,
    samplers: [Sampler] = [], maskRule: MaskRule = .soft, findsMask: MaskFinding = .never, evaluations: String
  ) {
    (self.name, self.summary, self.paper, self.evaluations) = (name, summary, paper, evaluations)
    (self.goals, self.needs, self.accepts, self.needsWords) = (goals, needs, accepts, needsWords)
    (self.samplers, self.maskRule, self.findsMask) = (samplers, maskRule, findsMask)
  }
}

/// How the noise of a step is chosen (Nie et al. 2024).
public enum Sampler: String, Sendable, Codable, CaseIterable {
  /// Deterministic: an error of the start stays.
  case ode
  /// New or recorded noise in every step: an error of the start fades.
  case sde

  /// η of the DDIM step.
  public var eta: Double { self == .sde ? 1 : 0 }
}

extension EditingMethod {
  public static var presets: [MethodPreset] { [] }
  public static var keepsProgress: Bool { false }
  public static var caseKinds: [String: Self] { [:] }
  public func gradients(_ outline: EditOutline) -> Int { 0 }
  public func demands(_ outline: EditOutline) -> NetworkDemands { [] }
  public var maskRule: MaskRule { Self.about.maskRule }
  /// Those of one guided prediction, by the weights of the prompts in the table.
  public func evaluationsAtOnce(_ outline: EditOutline) -> Int {
    Self.parameters.filter { ["cfg-scale", "source-cfg-scale"].contains($0.option) }
      .compactMap { $0.value(in: self).number.map { Guidance($0).evaluations } }.max() ?? 1
  }

  package static var name: String { about.name }
  package var name: String { Self.about.name }

  /// Throws `EditError.parameter` for the first value out of its bounds, `EditError.emptyPrompt`.
  package func checkParameters(_ outline: EditOutline = EditOutline()) throws(EditError) {
    for parameter in Self.parameters where !parameter.isOfConcept { try parameter.check(self, named: name) }
    for concept in self.concepts(outline) {
      for parameter in Self.parameters where parameter.isOfConcept {
        try parameter.check(concept, named: name)
      }
    }
    if Self.about.needsWords, let prompt = outline.prompt, prompt.allSatisfy(\.isWhitespace) {
      throw .emptyPrompt(method: name)
    }
  }

  /// Copies of the method, each with one concept of the edit as the one that others are measured by.
  private func concepts(_ outline: EditOutline) -> [Self] {
    guard let method = self as? any ConceptMethod else { return [] }
    return outline.concepts.map { method.with($0) as! Self } + [self]
  }

  /// Bytes of `count` latents.
  func bytes(_ count: Int, _ height: Int, _ width: Int, _ channels: Int) -> Int {
    count * height * width * channels * MemoryLayout<Float>.size
  }

  /// Throws unless at least one of `steps` is inside the fraction that is run.
  func requireTransition(_ fraction: Double, of steps: Int) throws(EditError) {
    guard transitions(fraction, of: steps) >= 1 else {
      throw .nothingToDo(
        method: name, reason: "a strength of \(fraction) is less than one of \(steps) steps, raise either")
    }
  }

  /// Values by the names that reports have for them; those of several concepts one after the other.
  package func report(_ outline: EditOutline) -> [String: String] {
    texts(outline, named: \.reportName) { row, method in row.reportText(in: method) }
  }

  /// The same as what they are: numbers, lists of them where there are several concepts.
  package func reportedValues(_ outline: EditOutline) -> [String: ReportedValue] {
    let each = concepts(outline).dropLast()
    return Dictionary(
      uniqueKeysWithValues: Self.parameters.map { row in
        let value =
          row.isOfConcept && each.count > 1
          ? ReportedValue(parsing: each.map { row.reportText(in: $0) })
          : ReportedValue(parsing: row.reportText(in: row.isOfConcept ? each.first ?? self : self))
        return (row.reportName, value)
      })
  }

  /// Values by the names of their options, as a user would type them; those of several concepts one after the other.
  package func settings(_ outline: EditOutline) -> [String: String] {
    texts(outline, named: \.option) { row, method in row.value(in: method).text }
  }

  /// Every value that can be set and counts, by its option's name: given again, they make the same method.
  package func spelledOut(_ outline: EditOutline) -> MethodSettings {
    var settings: MethodSettings = [:]
    for row in Self.parameters where row.isOption && row.whyIdle(in: self, outline) == nil {
      settings[row.option] = row.value(in: self).setting
    }
    return settings
  }

  private func texts(
    _ outline: EditOutline, named name: (Parameter<Self>) -> String, _ text: (Parameter<Self>, Self) -> String
  ) -> [String: String] {
    let concepts = concepts(outline)
    let each = concepts.count > 1 ? concepts.dropLast() : concepts[...]
    return Dictionary(
      uniqueKeysWithValues: Self.parameters.map { row in
        let values = row.isOfConcept ? each.map { text(row, $0) } : [text(row, self)]
        return (name(row), values.joined(separator: ", "))
      })
  }
}
