/// What a model was distilled to, as far as methods and their defaults depend on it.
public struct ModelKind: Sendable, Equatable {
  /// A latent consistency model: it is sampled by jumps to the clean picture (Luo et al. 2023).
  public var isConsistency = false
  /// Its network is told the guidance weight, and has seen no picture without.
  public var isToldGuidance = false
  /// Few steps of an ordinary sampler, down from the noisiest timestep (SD- and SDXL-Turbo, Lightning, Hyper-SD).
  public var isDistilled = false

  public init() {}

  /// Ordinary models have no name.
  public var name: String? {
    samplesByJumps ? "latent consistency model" : isDistilled ? "distilled to few steps" : nil
  }

  /// Whether its own sampling goes by jumps.
  public var samplesByJumps: Bool { isConsistency || isToldGuidance }
  /// Whether few steps do.
  public var takesFewSteps: Bool { samplesByJumps || isDistilled }
}

extension EditingMethod {
  /// A distilled model has learned the guidance of its teacher (Sauer et al. 2024; Lin et al. 2024).
  public static func defaults(of kind: ModelKind, beside given: MethodSettings) -> MethodSettings {
    kind.takesFewSteps ? unguided : [:]
  }

  private static var guidanceRows: [Parameter<Self>] {
    parameters.filter { ["cfg-scale", "source-cfg-scale"].contains($0.option) }
  }

  /// Conditional predictions alone, where the method has guidance.
  static var unguided: MethodSettings {
    Dictionary(uniqueKeysWithValues: guidanceRows.map { ($0.option, .number(1)) })
  }

  /// Whether it only asks for conditional predictions, so that a negative prompt has no effect.
  package var ignoresNegativePrompt: Bool {
    Self.tellsGuidance && Self.guidanceRows.allSatisfy { $0.value(in: self).number == 1 }
  }

  /// Defaults of a method that samples pictures: with the jumps of a consistency model where the model is one, or
  /// where `given` says so; else with the few steps of a distilled model.
  static func samplingDefaults(of kind: ModelKind, beside given: MethodSettings) -> MethodSettings {
    var settings: MethodSettings = [:]
    let sampler = PictureSampler.option
    if given[sampler] == nil, kind.samplesByJumps { settings[sampler] = .lcm }
    guard (given[sampler] ?? settings[sampler]) == .lcm || kind.takesFewSteps else { return [:] }
    settings.merge(unguided) { own, _ in own }
    settings["steps"] = .number(4)
    if kind.isToldGuidance { settings[PictureSampler.toldOption] = .number(8.5) }
    return settings
  }

  /// Whether it goes by the jumps of a latent consistency model.
  package var samplesByJumps: Bool {
    let row = Self.parameters.first { $0.option == PictureSampler.option }
    return row?.value(in: self) == .word(PictureSampler.lcm.rawValue)
  }

  /// Whether it runs on models whose network is told the guidance.
  package static var tellsGuidance: Bool { options.contains(PictureSampler.toldOption) }

  /// - Throws: `EditError.needsToldGuidance` for a method that a model of this kind is not made for.
  package static func check(_ kind: ModelKind) throws(EditError) {
    guard kind.isToldGuidance, !tellsGuidance else { return }
    throw .needsToldGuidance(method: name, known: EditMethods.all.filter { $0.tellsGuidance }.names)
  }
}

/// How a picture is sampled.
public enum PictureSampler: String, Sendable, Codable, CaseIterable {
  /// The steps of `Sampler`.
  case ode, sde
  /// The jumps of a latent consistency model (Luo et al. 2023): LCM, or a model with an LCM-LoRA.
  case lcm

  public init(_ sampler: Sampler) { self = sampler == .sde ? .sde : .ode }

  /// η of the DDIM step; jumps have none.
  package var eta: Double { self == .sde ? 1 : 0 }

  /// The setting.
  package static let option = "sampler"
  /// The setting of the guidance that a network is told.
  package static let toldOption = "embed-guidance"
}

extension SettingValue {
  fileprivate static let lcm = SettingValue.word(PictureSampler.lcm.rawValue)
}

extension Parameter {
  /// The guidance that a latent consistency model's network is told.
  static func toldGuidance(_ path: WritableKeyPath<Method, Double?> & Sendable) -> Self {
    Parameter(
      PictureSampler.toldOption, path, orDerived: "none", .any,
      "guidance weight that a latent consistency model's network is told; the published pipeline tells 8.5"
    )
    .inCases("embed_w") { (method, value) throws(CaseFault) in
      switch value("embed_w") {
      case nil: break
      case .number(let weight)?: method[keyPath: path] = weight
      default: throw CaseFault(key: "embed_w", expected: "a number")
      }
    }
    .idle { _, outline in outline.kind.isToldGuidance ? nil : "with a model whose network is not told it" }
  }
}
