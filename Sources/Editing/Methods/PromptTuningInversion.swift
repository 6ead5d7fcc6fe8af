import Tensors

/// Prompt Tuning Inversion: invert the photo without a prompt, tune the target's embedding level by level until guided
/// sampling retraces the photo, then edit by sampling with embeddings between the tuned ones and the target's
/// (Dong, Xue, Duan & Han 2023).
///
///     y_0 … y_N by DDIM inversion
///     for ℓ = N … 1:   J times  c ← Adam(c, ∂‖x'(c) − y_{ℓ−1}‖²/∂c);   c_ℓ ← c
///     edit: x_N = y_N;   ĉ = η·c* + (1 − η)·c_ℓ;   ε̃ = ε(∅) + w·(ε(ĉ) − ε(∅));   x_{ℓ−1} by DDIM
///
/// η = 0 retraces the tuning's own states bit for bit, η = 1 samples from y_N with the target prompt. Neither a mask nor
/// a source prompt is needed. The authors released no code: what their paper leaves open follows public
/// re-implementations (`presets`). Draws: none.
public struct PromptTuningInversion: TunedInversion {
  /// Whose condition something starts from.
  public enum Prompt: String, Sendable, Codable, CaseIterable {
    case target, source, empty
  }
  /// What the photo is inverted with.
  public enum Path: String, Sendable, Codable, CaseIterable {
    /// The empty prompt alone, as in the paper.
    case unconditional
    /// The source prompt alone, as a public re-implementation does.
    case source
  }

  public var steps = 50
  /// w, of tuning and sampling.
  public var guidance = 7.5
  public var innerSteps = 10
  public var learningRate = 0.01
  public var weightDecay = 0.0
  public var loss = LossReduction.mean
  public var path = Path.unconditional
  /// What the embedding starts from.
  public var initial = Prompt.target
  /// η.
  public var interpolation = 0.8

  public init() {}

  public static let about = MethodSummary(
    name: "pti",
    summary:
      "Tunes the target's embedding until sampling retraces the photo, then goes back towards the target.",
    paper: "Dong et al. 2023, Prompt Tuning Inversion for Text-Driven Image Editing",
    goals: [.colour, .object], needs: [.image, .targetPrompt], accepts: [.sourcePrompt], needsWords: true,
    samplers: [.ode],
    evaluations:
      "steps·(5 + inner-steps) = 750 and steps·inner-steps = 500 gradients; 2·steps = 100 with a saved "
      + "inversion; preset quick: 300 and 50 gradients")

  public static let parameters: [Parameter<PromptTuningInversion>] = [
    Parameter("steps", \.steps, .steps, "network steps of the whole schedule").inCases("steps")
      .shapesInversion(),
    Parameter("cfg-scale", \.guidance, .any, "weight of the prompt, in tuning and in sampling")
      .reported(as: "guidance").inCases("w").shapesInversion(),
    Parameter(
      "interpolation", \.interpolation, .unit, "0 retraces the photo, 1 samples with the prompt as it is"
    )
    .inCases("eta"),
    Parameter("inner-steps", \.innerSteps, .within(0...1000), "updates of the embedding per network step")
      .inCases("inner").shapesInversion(),
    Parameter("learning-rate", \.learningRate, .atLeast(0), "size of an update").inCases("lr")
      .idle(untuned).shapesInversion(),
    Parameter("weight-decay", \.weightDecay, .atLeast(0), "pull of an embedding's values to 0 (AdamW)")
      .inCases("weight_decay") { (method, value) throws(CaseFault) in
        guard case .number(let decay)? = value("weight_decay") else { return }
        method.weightDecay = decay
      }
      .idle(untuned).shapesInversion(),
    Parameter("loss", \.loss, "squared distance that an embedding is tuned for, over the latent's values")
      .inCases("loss").idle(untuned).shapesInversion(),
    Parameter("inversion-path", \.path, "prompt that the photo is inverted with")
      .inCases("invert") { (method, value) throws(CaseFault) in
        switch value("invert") {
        case .word("uncond")?: method.path = .unconditional
        case .word("cond")?: method.path = .source
        default: throw CaseFault(key: "invert", expected: "uncond or cond")
        }
      }
      .shapesInversion(),
    Parameter("initial-embedding", \.initial, "prompt whose embedding is tuned")
      .inCases("init") { (method, value) throws(CaseFault) in
        switch value("init") {
        case .word("target")?: method.initial = .target
        case .word("source")?: method.initial = .source
        case .word("null")?: method.initial = .empty
        default: throw CaseFault(key: "init", expected: "target, source or null")
        }
      }
      .shapesInversion(),
  ]

  private static let untuned: @Sendable (Self, EditOutline) -> String? = { method, _ in
    method.innerSteps == 0 ? "with inner-steps 0" : nil
  }

  public static let presets: [MethodPreset] = {
    var (source, quick) = (Self(), Self())
    (source.path, source.initial) = (.source, .source)
    (quick.innerSteps, quick.learningRate, quick.weightDecay, quick.loss) = (1, 1e-3, 1e-2, .sum)
    (quick.guidance, quick.interpolation) = (5, 0.9)
    return [
      MethodPreset("paper", "the paper's inversion; the embedding starts from the target", Self()),
      MethodPreset("source", "a public re-implementation's: both start from the source prompt", source),
      MethodPreset("quick", "our own fast one: a single update per step, lower guidance", quick),
    ]
  }()
  public static var caseKinds: [String: Self] { ["pti": Self()] }
  static var tunedSide: ContextTuning.Side { .conditional }

  private var needsSource: Bool { path == .source || initial == .source }

  public func validate(_ outline: EditOutline, on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters(outline)
    _ = try schedule.samplingGrid(steps: steps)
    if needsSource, outline.sourcePrompt == nil, outline.inversion != .given {
      throw .missing(method: name, need: "a source prompt, from which this variant starts")
    }
  }

  public func run(_ inputs: EditInputs, in context: EditContext) async throws -> Latent {
    try validate(inputs.outline, on: context.diffusion.schedule)
    let target = try inputs.target(for: name)
    let grid = try context.diffusion.schedule.samplingGrid(steps: steps)
    if inputs.inversion == nil, !needsSource, inputs.outline.hasSourceText {
      context.observer.warn("The source prompt is not used: this variant inverts without one.")
    }
    let inversion =
      if let given = inputs.inversion { given } else {
        try await invert(inputs, target, on: grid, in: context)
      }
    try check(inversion)
    return try await sample(
      inversion, on: grid, in: context,
      told: { tuned in (tuned.mixed(with: target, interpolation), context.diffusion.empty) }, like: target)
  }

  private func invert(
    _ inputs: EditInputs, _ target: Condition, on grid: SamplingGrid, in context: EditContext
  ) async throws -> Inversion {
    let (photo, empty) = (try inputs.photo(for: name), context.diffusion.empty)
    let prompt = path == .source ? try inputs.reference(for: name) : empty
    let start =
      switch initial {
      case .target: target
      case .source: try inputs.reference(for: name)
      case .empty: inputs.encodedEmpty ?? empty
      }
    let states = try await invertedPath(photo, from: prompt, 1.0, on: grid, in: context)
    let rate = learningRate
    let tuning = ContextTuning(
      method: name, side: .conditional, guidance: Guidance(guidance), fixed: empty, start: start,
      innerSteps: innerSteps, reduction: loss, weightDecay: weightDecay, learningRate: { _ in rate })
    return try await tuned(tuning, along: states, on: grid, inputs.outline, in: context)
  }
}

extension Condition {
  /// η·target + (1 − η)·self, text states and pooled vector; the ends are taken as they are.
  fileprivate func mixed(with target: Condition, _ eta: Double) -> Condition {
    func mix(_ own: HostTensor, _ other: HostTensor) -> HostTensor {
      switch eta {
      case 0: own
      case 1: other
      default:
        HostTensor(
          shape: own.shape,
          values: zip(own.values, other.values).map { Float((1 - eta) * Double($0) + eta * Double($1)) })
      }
    }
    var mixed = with(context: mix(context, target.context))
    if let pooled, let other = target.pooled { mixed.pooled = mix(pooled, other) }
    return mixed
  }
}

extension EditMethod {
  /// Prompt Tuning Inversion (`pti`).
  ///
  /// What is nil is the preset's, the model's default or the paper's.
  public static func promptTuningInversion(
    preset: String? = nil, steps: Int? = nil, guidance: Double? = nil, interpolation: Double? = nil,
    innerSteps: Int? = nil, learningRate: Double? = nil, weightDecay: Double? = nil,
    loss: LossReduction? = nil, path: PromptTuningInversion.Path? = nil,
    initial: PromptTuningInversion.Prompt? = nil
  ) -> EditMethod {
    EditMethod(
      PromptTuningInversion.self, Given(\.steps, steps), Given(\.guidance, guidance),
      Given(\.interpolation, interpolation), Given(\.innerSteps, innerSteps),
      Given(\.learningRate, learningRate), Given(\.weightDecay, weightDecay), Given(\.loss, loss),
      Given(\.path, path), Given(\.initial, initial)
    ).with(preset: preset)
  }
}
