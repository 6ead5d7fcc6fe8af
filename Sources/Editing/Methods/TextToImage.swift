import Tensors

/// Text-to-image sampling, by the DDIM ODE or the DDPM SDE (Song et al. 2021; Ho et al. 2020).
///
///     x_N = n;   x_{ℓ−1} = μ_η(x_ℓ, ε̃(x_ℓ, t)) + σ·z,   ℓ = N … 1
///
/// Draws: the start; SDE: then one per transition with σ > 0.
public struct TextToImage: EditingMethod {
  public var steps = 50
  public var guidance = 7.5
  public var sampler = Sampler.ode

  public init() {}

  public static let about = MethodSummary(
    name: "generate", summary: "A picture from a text, the base of every edit.",
    paper: "Song, Meng & Ermon 2021, Denoising Diffusion Implicit Models", needs: [.targetPrompt],
    samplers: [.ode, .sde], evaluations: "2·steps = 100")

  public var parameters: [Parameter] {
    [
      Parameter("steps", steps, .steps, "network steps"),
      Parameter("guidance", guidance, .any, "weight of the prompt"),
      Parameter("sampler", sampler, "deterministic or with noise in every step"),
    ]
  }

  public var evaluations: Int { steps * Guidance(guidance).evaluations }
  public func storageBytes(height: Int, width: Int, channels: Int = 4) -> Int { 0 }

  public func validate(on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters()
    _ = try schedule.samplingGrid(steps: steps)
  }

  /// - Returns: a latent of `height`×`width` cells.
  public func generate(
    _ target: Condition, height: Int, width: Int, channels: Int = 4, model: Diffusion<some NoisePredictor>,
    tape: any NoiseTape, observer: EditObserver = .none
  ) async throws -> Latent {
    try checkParameters()
    let grid = try model.schedule.samplingGrid(steps: steps)
    var x = try tape.normal(0, count: 1, height: height, width: width, channels: channels)[0]
    observer("traj", x)
    for (i, level) in (1...steps).reversed().enumerated() {
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
