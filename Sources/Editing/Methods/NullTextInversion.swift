import Tensors

/// Null-text inversion: invert the photo with its own prompt, tune the *unconditional* embedding level by level until
/// guided sampling with that prompt retraces the photo, then sample with the target prompt and the tuned embeddings
/// (Mokady, Hertz, Aberman, Pritch & Cohen-Or 2023).
///
///     y_0 … y_N by DDIM inversion with the source prompt, unguided
///     for ℓ = N … 1, q = 50·(N − ℓ)/N:   fresh Adam with lr·(1 − q/100)
///         at most J times  u ← Adam(u, ∂mean (x'(u) − y_{ℓ−1})²/∂u), until that mean was < stop + rise·q;   u_ℓ ← u
///     edit: x_N = y_N;   ε̃ = ε(u_ℓ) + w·(ε(target) − ε(u_ℓ));   x_{ℓ−1} by DDIM
///
/// The released code counts q = N − ℓ, for N = 50. The loss that stops a level is the one before its last update. The
/// published edits add attention control, which is not here. Draws: none.
public struct NullTextInversion: TunedInversion {
  public var steps = 50
  /// w, of tuning and sampling.
  public var guidance = 7.5
  public var innerSteps = 10
  public var learningRate = 0.01
  /// Loss below which a level is good enough, at the noisy end.
  public var stop = 1e-5
  /// What is added to it per fiftieth of the way.
  public var stopRise = 2e-5

  public init() {}

  public static let about = MethodSummary(
    name: "null-text",
    summary:
      "Tunes the empty prompt's embedding until sampling retraces the photo, then samples to the target.",
    paper: "Mokady et al. 2023, Null-text Inversion for Editing Real Images",
    goals: [.colour, .object], needs: [.image, .sourcePrompt, .targetPrompt], needsWords: true,
    samplers: [.ode],
    evaluations: "up to steps·(5 + inner-steps) = 750 and up to steps·inner-steps = 500 gradients; "
      + "2·steps = 100 with a saved inversion")

  public static let parameters: [Parameter<NullTextInversion>] = [
    Parameter("steps", \.steps, .steps, "network steps of the whole schedule").inCases("steps")
      .shapesInversion(),
    Parameter("cfg-scale", \.guidance, .any, "weight of the prompt, in tuning and in sampling")
      .reported(as: "guidance").inCases("w").shapesInversion(),
    Parameter("inner-steps", \.innerSteps, .within(0...1000), "updates of the embedding per network step")
      .inCases("inner").shapesInversion(),
    Parameter("learning-rate", \.learningRate, .atLeast(0), "size of an update").inCases("lr")
      .idle(untuned).shapesInversion(),
    Parameter("early-stop", \.stop, .atLeast(0), "loss below which a network step has no further updates")
      .inCases("stop").idle(untuned).shapesInversion(),
    Parameter("early-stop-rise", \.stopRise, .atLeast(0), "what early-stop grows by, fifty times in all")
      .fixed
      .inCases("stop_rise"),
  ]

  private static let untuned: @Sendable (Self, EditOutline) -> String? = { method, _ in
    method.innerSteps == 0 ? "with inner-steps 0" : nil
  }
  public static var caseKinds: [String: Self] { ["null_text": Self()] }
  static var tunedSide: ContextTuning.Side { .unconditional }

  public func validate(_ outline: EditOutline, on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters(outline)
    _ = try schedule.samplingGrid(steps: steps)
  }

  public func run(_ inputs: EditInputs, in context: EditContext) async throws -> Latent {
    try validate(inputs.outline, on: context.diffusion.schedule)
    let target = try inputs.target(for: name)
    let grid = try context.diffusion.schedule.samplingGrid(steps: steps)
    let inversion =
      if let given = inputs.inversion { given } else { try await invert(inputs, on: grid, in: context) }
    try check(inversion)
    return try await sample(inversion, on: grid, in: context, told: { (target, $0) }, like: target)
  }

  private func invert(
    _ inputs: EditInputs, on grid: SamplingGrid, in context: EditContext
  ) async throws -> Inversion {
    let (photo, prompt) = (try inputs.photo(for: name), try inputs.reference(for: name))
    let states = try await invertedPath(photo, from: prompt, 1.0, on: grid, in: context)
    let (rate, stop, rise, count) = (learningRate, stop, stopRise, steps)
    let way = { @Sendable (level: Int) in 50 * Double(count - level) / Double(count) }
    let tuning = ContextTuning(
      method: name, side: .unconditional, guidance: Guidance(guidance), fixed: prompt,
      start: inputs.encodedEmpty ?? context.diffusion.empty, innerSteps: innerSteps,
      learningRate: { rate * (1 - way($0) / 100) }, stopsBelow: { stop + rise * way($0) })
    return try await tuned(tuning, along: states, on: grid, inputs.outline, in: context)
  }
}

extension EditMethod {
  /// Null-text inversion (`null-text`).
  ///
  /// What is nil is the model's default or the paper's.
  public static func nullText(
    steps: Int? = nil, guidance: Double? = nil, innerSteps: Int? = nil, learningRate: Double? = nil,
    stop: Double? = nil
  ) -> EditMethod {
    EditMethod(
      NullTextInversion.self, Given(\.steps, steps), Given(\.guidance, guidance),
      Given(\.innerSteps, innerSteps), Given(\.learningRate, learningRate), Given(\.stop, stop))
  }
}
