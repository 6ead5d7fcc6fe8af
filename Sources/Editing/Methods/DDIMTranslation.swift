import Tensors

/// DDIM inversion with the source prompt, then sampling with the target prompt: the ODE baseline of
/// image-to-image translation (Song et al. 2021, section 4.3; Nie et al. 2024).
///
/// Draws: none.
public struct DDIMTranslation: InvertingMethod {
  public var steps = 50
  public var strength = 1.0
  public var sourceGuidance = 1.0
  public var targetGuidance = 7.5

  public init() {}

  public static let about = MethodSummary(
    name: "ddim-inversion",
    summary: "Runs the sampler backwards with the source prompt, forwards with the target.",
    paper: "Song, Meng & Ermon 2021, Denoising Diffusion Implicit Models",
    needs: [.image, .sourcePrompt, .targetPrompt], samplers: [.ode],
    evaluations: "(1 or 2)·⌊strength·steps⌋ + 2·⌊strength·steps⌋ = 150, 100 with a saved inversion")

  public var parameters: [Parameter] {
    [
      Parameter("steps", steps, .steps, "network steps of the whole schedule"),
      Parameter("strength", strength, .fraction, "part of the schedule that is run (t0)"),
      Parameter("source-guidance", sourceGuidance, .any, "weight of the source prompt in the inversion"),
      Parameter("guidance", targetGuidance, .any, "weight of the target prompt"),
    ]
  }

  /// K.
  private var levels: Int { transitions(strength, of: steps) }
  public var evaluations: Int { evaluations(inversion: .discarded) }
  public func evaluations(inversion: InversionUse) -> Int {
    let source = inversion == .given ? 0 : Guidance(sourceGuidance).evaluations
    return levels * (source + Guidance(targetGuidance).evaluations)
  }

  public var inversionParameters: Set<String> { ["steps", "source-guidance"] }
  /// The inverted path.
  public func storageBytes(height: Int, width: Int, channels: Int, inversion: InversionUse) -> Int {
    inversion == .given ? 0 : bytes(levels + 1, height, width, channels)
  }

  public func validate(on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters()
    _ = try schedule.samplingGrid(steps: steps)
    try requireTransition(strength, of: steps)
  }

  /// - Parameter inversion: to be used instead of inverting again.
  public func edit(
    _ source: Latent, from prompt: Condition, to target: Condition, given inversion: Inversion? = nil,
    model: Diffusion<some NoisePredictor>, observer: EditObserver = .none
  ) async throws -> Latent {
    try checkParameters()
    let grid = try model.schedule.samplingGrid(steps: steps)
    let inversion =
      if let inversion { inversion } else {
        try await invert(source, from: prompt, model: model, on: grid, observer: observer)
      }
    try check(inversion)
    var x = try inversion.state(levels)
    for (i, level) in stride(from: levels, through: 1, by: -1).enumerated() {
      let step = grid.transition(from: level)
      let eps = try await model.guided(x, timestep: step.timestep, target, Guidance(targetGuidance))
      x = try step.mean(x, eps, eta: 0).checked(name, step: i + 1)
      observer("traj", x)
    }
    observer("out", x)
    return x
  }

  private func invert(
    _ source: Latent, from prompt: Condition, model: Diffusion<some NoisePredictor>, on grid: SamplingGrid,
    observer: EditObserver
  ) async throws -> Inversion {
    let path = try await model.ddimInversion(
      source, from: prompt, guidance: Guidance(sourceGuidance), levels: levels, on: grid, method: name)
    for y in path { observer("inverted", y) }
    let inversion = newInversion(states: path.byLevel)
    observer.inverted(inversion)
    return inversion
  }
}
