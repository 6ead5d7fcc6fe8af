import Tensors

/// SDEdit: noise the photo part of the way, then sample towards the prompt (Meng et al. 2022;
/// ODE and SDE compared by Nie et al. 2024).
///
///     x_K = a·x₀ + s·n,  K = ⌊t₀·N⌋;   x_{ℓ−1} = μ_η(x_ℓ, ε̃(x_ℓ, t)) + σ·z,   ℓ = K … 1
///
/// Draws: the noise of the start; SDE: then one per transition with σ > 0.
public struct SDEdit: EditingMethod {
  public var steps = 50
  public var strength = 0.5
  public var guidance = 7.5
  public var sampler = Sampler.sde

  public init() {}

  public static let about = MethodSummary(
    name: "sdedit", summary: "Noises the photo part of the way and denoises it towards the prompt.",
    paper: "Meng et al. 2022, SDEdit; Nie et al. 2024, The Blessing of Randomness",
    needs: [.image, .targetPrompt], samplers: [.ode, .sde], evaluations: "2·⌊strength·steps⌋ = 50")

  public var parameters: [Parameter] {
    [
      Parameter("steps", steps, .steps, "network steps of the whole schedule"),
      Parameter(
        "strength", strength, .fraction, "part of the schedule that is run (t0); 0.4 to 0.8 is usual"),
      Parameter("guidance", guidance, .any, "weight of the prompt"),
      Parameter("sampler", sampler, "deterministic or with noise in every step"),
    ]
  }

  public var evaluations: Int { transitions(strength, of: steps) * Guidance(guidance).evaluations }
  public func storageBytes(height: Int, width: Int, channels: Int = 4) -> Int { 0 }

  public func validate(on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters()
    _ = try schedule.samplingGrid(steps: steps)
    try requireTransition(strength, of: steps)
  }

  /// `source` itself if `strength` is below one step.
  public func edit(
    _ source: Latent, to target: Condition, model: Diffusion<some NoisePredictor>, tape: any NoiseTape,
    observer: EditObserver = .none
  ) async throws -> Latent {
    try checkParameters()
    let grid = try model.schedule.samplingGrid(steps: steps)
    let top = transitions(strength, of: steps)
    var x = source
    if top > 0 {
      x = model.schedule.diffuse(source, to: grid.timestep(top), try tape.normal(0, like: source))
    }
    observer("traj", x)
    for (i, level) in stride(from: top, through: 1, by: -1).enumerated() {
      let step = grid.transition(from: level)
      let eps = try await model.guided(x, timestep: step.timestep, target, Guidance(guidance))
      x = try step.step(x, eps, eta: sampler.eta, noise: tape.normal(1 + i, like: x)).checked(
        name, step: i + 1)
      observer("traj", x)
    }
    observer("out", x)
    return x
  }
}
