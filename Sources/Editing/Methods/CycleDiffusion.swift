import Tensors

/// CycleDiffusion: a path of the photo drawn from the sampler's posterior, and the same noise for the target
/// prompt (Wu & De la Torre 2023, algorithm 1).
///
///     y_K = a·x₀ + s·n;   y_{ℓ−1} ~ q(y_{ℓ−1} | y_ℓ, x₀),  y_0 = x₀
///     x_{ℓ−1} = y_{ℓ−1} + μ_η(x_ℓ, ε̃(x_ℓ; target)) − μ_η(y_ℓ, ε̃(y_ℓ; source))
///
/// Draws: the start, then one per level ℓ = K … 2.
public struct CycleDiffusion: EditingMethod {
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
    needs: [.image, .sourcePrompt, .targetPrompt], samplers: [.sde],
    evaluations: "⌊strength·steps⌋·(1 or 2, + 1 or 2) = 120")

  public var parameters: [Parameter] {
    [
      Parameter("steps", steps, .steps, "network steps of the whole schedule"),
      Parameter("strength", strength, .fraction, "part of the schedule that is run"),
      Parameter("source-guidance", sourceGuidance, .any, "weight of the source prompt"),
      Parameter("guidance", targetGuidance, .any, "weight of the target prompt; 2 to 5 is usual"),
      Parameter("eta", eta, .unit, "noise of a step, 1 is DDPM"),
    ]
  }

  public var evaluations: Int {
    transitions(strength, of: steps)
      * (Guidance(sourceGuidance).evaluations + Guidance(targetGuidance).evaluations)
  }
  public func storageBytes(height: Int, width: Int, channels: Int = 4) -> Int {
    bytes(1, height, width, channels)
  }

  public func validate(on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters()
    _ = try schedule.leadingGrid(steps: steps)
    try requireTransition(strength, of: steps)
  }

  public func edit(
    _ source: Latent, from prompt: Condition, to target: Condition, model: Diffusion<some NoisePredictor>,
    tape: any NoiseTape, observer: EditObserver = .none
  ) async throws -> Latent {
    try checkParameters()
    let grid = try model.schedule.leadingGrid(steps: steps)
    let top = transitions(strength, of: steps)
    var y = source
    if top > 0 {
      y = model.schedule.diffuse(source, to: grid.timestep(top), try tape.normal(0, like: source))
    }
    var x = y
    for (i, level) in stride(from: top, through: 1, by: -1).enumerated() {
      let step = grid.transition(from: level)
      let eps = try await model.guided([
        GuidedQuery(x, timestep: step.timestep, target, Guidance(targetGuidance)),
        GuidedQuery(y, timestep: step.timestep, prompt, Guidance(sourceGuidance)),
      ])
      let next = level == 1 ? source : posterior(of: source, y, step, try tape.normal(1 + i, like: source))
      x = try step.pairedStep(x, eps[0], along: y, eps[1], to: next, eta: eta).checked(name, step: i + 1)
      y = next
      observer("traj", x)
    }
    observer("out", x)
    return x
  }

  /// √c·x₀ + √(1 − c − σ²)·(y − a·x₀)/s + σ·n (Song et al. 2021, eq. 7).
  private func posterior(of x0: Latent, _ y: Latent, _ step: Transition, _ noise: Latent) -> Latent {
    let (b, c, sigma) = (step.alphaBar, step.nextAlphaBar, step.sigma(eta: eta))
    let k = max(1 - c - sigma * sigma, 0).squareRoot() / (1 - b).squareRoot()
    return .combination([(c.squareRoot() - k * b.squareRoot(), x0), (k, y), (sigma, noise)])
  }
}
