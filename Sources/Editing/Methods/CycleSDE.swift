import Tensors

/// Cycle-SDE: noise the photo along the forward SDE, record which noise would lead back, and follow it with
/// the target prompt (Nie et al. 2024, the SDE counterpart of DDIM inversion).
///
///     y_0 = x₀;   y_{k+1} = √(ᾱ_{k+1}/ᾱ_k)·y_k + √(1 − ᾱ_{k+1}/ᾱ_k)·n_k
///     x_{k−1} = y_{k−1} + μ₁(x_k, ε̃(x_k; target)) − μ₁(y_k, ε̃(y_k; source)),   x_K = y_K
///
/// The clean latent is the state at the first timestep (`StateGrid`). Draws: n_0 … n_{K−1}.
public struct CycleSDE: EditingMethod {
  public var steps = 100
  public var strength = 1.0
  public var sourceGuidance = 1.0
  public var targetGuidance = 1.0

  public init() {}

  public static let about = MethodSummary(
    name: "cycle-sde",
    summary: "Records the noise that leads a noised photo back and follows it to the target.",
    paper:
      "Nie et al. 2024, The Blessing of Randomness: SDE Beats ODE in General Diffusion-based Image Editing",
    needs: [.image, .sourcePrompt, .targetPrompt], samplers: [.sde],
    evaluations: "K·(1 or 2, + 1 or 2), K = ⌊strength·steps⌋ but at most steps − 1: 198")

  public var parameters: [Parameter] {
    [
      Parameter("steps", steps, .within(2...1000), "states of the whole schedule"),
      Parameter("strength", strength, .fraction, "part of the schedule that is run (t0)"),
      Parameter("source-guidance", sourceGuidance, .any, "weight of the source prompt"),
      Parameter("guidance", targetGuidance, .any, "weight of the target prompt"),
    ]
  }

  /// K.
  var transitionCount: Int { min(transitions(strength, of: steps), steps - 1) }
  public var evaluations: Int {
    transitionCount * (Guidance(sourceGuidance).evaluations + Guidance(targetGuidance).evaluations)
  }
  /// The forward path.
  public func storageBytes(height: Int, width: Int, channels: Int = 4) -> Int {
    bytes(transitionCount + 1, height, width, channels)
  }

  public func validate(on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters()
    _ = try schedule.stateGrid(steps: steps)
    try requireTransition(strength, of: steps)
  }

  public func edit(
    _ source: Latent, from prompt: Condition, to target: Condition, model: Diffusion<some NoisePredictor>,
    tape: any NoiseTape, observer: EditObserver = .none
  ) async throws -> Latent {
    try checkParameters()
    return try await edit(
      source, from: prompt, to: target, keeping: nil, method: name, model: model, tape: tape,
      observer: observer)
  }

  /// With a mask, every state outside it is the photo's own (DiffEdit-SDE).
  func edit(
    _ source: Latent, from prompt: Condition, to target: Condition, keeping mask: Mask?, method: String,
    model: Diffusion<some NoisePredictor>, tape: any NoiseTape, observer: EditObserver
  ) async throws -> Latent {
    let grid = try model.schedule.stateGrid(steps: steps)
    let top = transitionCount
    let path = try grid.forward(source, levels: top, tape: tape)
    for y in path { observer("forward", y) }
    var x = path[top]
    for (i, k) in stride(from: top, through: 1, by: -1).enumerated() {
      let step = grid.transition(from: k)
      let eps = try await model.guided([
        GuidedQuery(x, timestep: step.timestep, target, Guidance(targetGuidance)),
        GuidedQuery(path[k], timestep: step.timestep, prompt, Guidance(sourceGuidance)),
      ])
      x = step.pairedStep(x, eps[0], along: path[k], eps[1], to: path[k - 1], eta: 1)
      if let mask { x = mask.blend(inside: x, outside: path[k - 1]) }
      x = try x.checked(method, step: i + 1)
      observer("traj", x)
    }
    observer("out", x)
    return x
  }
}

extension StateGrid {
  /// The forward Markov chain from the clean state: levels 0…`levels`, draw `firstDraw + k` leading to k + 1.
  func forward(_ source: Latent, levels: Int, tape: any NoiseTape, firstDraw: Int = 0) throws -> [Latent] {
    var path = [source]
    for k in 0..<levels {
      path.append(transition(from: k + 1).diffuse(path[k], try tape.normal(firstDraw + k, like: source)))
    }
    return path
  }
}
