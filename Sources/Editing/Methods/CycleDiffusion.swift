import Tensors

/// CycleDiffusion: a path of the photo drawn from the sampler's posterior, and the same noise for the target
/// prompt (Wu & De la Torre 2023, algorithm 1).
///
///     y_K = a·x₀ + s·n;   y_{ℓ−1} ~ q(y_{ℓ−1} | y_ℓ, x₀),  y_0 = x₀
///     x_{ℓ−1} = y_{ℓ−1} + μ_η(x_ℓ, ε̃(x_ℓ; target)) − μ_η(y_ℓ, ε̃(y_ℓ; source))
///
/// Draws: the start, then one per level ℓ = K … 2.
public struct CycleDiffusion: InvertingMethod {
  public var steps = 50
  public var strength = 0.8
  public var sourceGuidance = 1.0
  public var targetGuidance = 7.5
  public var eta = 0.1

  public init() {}

  public static let about = MethodSummary(
    name: "cycle-diffusion",
    summary: "Draws the photo's path from the posterior and repeats its noise to the target.",
    paper: "Wu & De la Torre 2023, A Latent Space of Stochastic Diffusion Models",
    goals: [.colour], needs: [.image, .sourcePrompt, .targetPrompt], samplers: [.sde],
    evaluations: "⌊strength·steps⌋·(1 or 2, + 1 or 2) = 120, 80 with a saved inversion")

  public static let parameters: [Parameter<CycleDiffusion>] = [
    Parameter("steps", \.steps, .steps, "network steps of the whole schedule").inCases("steps")
      .shapesInversion(),
    Parameter("strength", \.strength, .fraction, "part of the schedule that is run").inCases("strength")
      .shapesInversion(),
    Parameter("source-cfg-scale", \.sourceGuidance, .any, "weight of the source prompt")
      .reported(as: "source-guidance").inCases("w_src").shapesInversion(),
    Parameter("cfg-scale", \.targetGuidance, .any, "weight of the target prompt; 2 to 5 is usual")
      .reported(as: "guidance").inCases("w_tgt"),
    Parameter("eta", \.eta, .unit, "noise of a step, 1 is DDPM").inCases("eta").shapesInversion(),
  ]
  public static var caseKinds: [String: Self] { ["cycle_diffusion": Self()] }

  /// K.
  private var levels: Int { transitions(strength, of: steps) }
  public func evaluations(_ outline: EditOutline) -> Int {
    let source = outline.inversion == .given ? 0 : Guidance(sourceGuidance).evaluations
    return levels * (source + Guidance(targetGuidance).evaluations)
  }
  /// Those along the photo's path and those of the edit.
  public func evaluationsAtOnce(_ outline: EditOutline) -> Int {
    let source = outline.inversion == .given ? 0 : Guidance(sourceGuidance).evaluations
    return source + Guidance(targetGuidance).evaluations
  }
  /// The photo's path, with the predictions along it if they are kept.
  public func storageBytes(_ outline: EditOutline, height: Int, width: Int, channels: Int) -> Int {
    switch outline.inversion {
    case .discarded: bytes(levels + 1, height, width, channels)
    case .kept: bytes(2 * levels + 1, height, width, channels)
    case .given: 0
    }
  }

  public func validate(_ outline: EditOutline, on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters(outline)
    _ = try schedule.samplingGrid(steps: steps)
    try requireTransition(strength, of: steps)
  }

  public func run(_ inputs: EditInputs, in context: EditContext) async throws -> Latent {
    try checkParameters(inputs.outline)
    let model = context.diffusion
    let (prompt, target) = (try inputs.reference(for: name), try inputs.target(for: name))
    let grid = try model.schedule.samplingGrid(steps: steps)
    let path = try inputs.inversion ?? path(inputs, on: grid, model.schedule, tape: context.tape)
    try check(path)
    return try await model.follow(
      path, from: (prompt, Guidance(sourceGuidance)), to: (target, Guidance(targetGuidance)), levels: levels,
      eta: eta, method: name, observer: context.observer, step: grid.transition)
  }

  /// y_0 … y_K; the predictions along it come while it is followed.
  private func path(
    _ inputs: EditInputs, on grid: SamplingGrid, _ schedule: NoiseSchedule, tape: any NoiseTape
  ) throws -> Inversion {
    let source = try inputs.photo(for: name)
    var path = newInversion(inputs.outline, states: [0: source])
    guard levels > 0 else { return path }
    var y = schedule.diffuse(source, to: grid.timestep(levels), try tape.normal(0, like: source))
    path.states[levels] = y
    for (i, level) in stride(from: levels, through: 2, by: -1).enumerated() {
      y = posterior(of: source, y, grid.transition(from: level), try tape.normal(1 + i, like: source))
      path.states[level - 1] = y
    }
    return path
  }

  /// √c·x₀ + √(1 − c − σ²)·(y − a·x₀)/s + σ·n (Song et al. 2021, eq. 7).
  private func posterior(of x0: Latent, _ y: Latent, _ step: Transition, _ noise: Latent) -> Latent {
    let (b, c, sigma) = (step.alphaBar, step.nextAlphaBar, step.sigma(eta: eta))
    let k = max(1 - c - sigma * sigma, 0).squareRoot() / (1 - b).squareRoot()
    return .combination([(c.squareRoot() - k * b.squareRoot(), x0), (k, y), (sigma, noise)])
  }
}

extension EditMethod {
  /// CycleDiffusion (`cycle-diffusion`).
  ///
  /// What is nil is the model's default or the paper's.
  public static func cycleDiffusion(
    steps: Int? = nil, strength: Double? = nil, sourceGuidance: Double? = nil, guidance: Double? = nil,
    eta: Double? = nil
  ) -> EditMethod {
    EditMethod(
      CycleDiffusion.self, Given(\.steps, steps), Given(\.strength, strength),
      Given(\.sourceGuidance, sourceGuidance), Given(\.targetGuidance, guidance), Given(\.eta, eta))
  }
}
