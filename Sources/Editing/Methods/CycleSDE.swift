import Tensors

/// Cycle-SDE: noise the photo along the forward SDE, record which noise would lead back, and follow it with
/// the target prompt (Nie et al. 2024, the SDE counterpart of DDIM inversion).
///
///     y_0 = x₀;   y_{k+1} = √(ᾱ_{k+1}/ᾱ_k)·y_k + √(1 − ᾱ_{k+1}/ᾱ_k)·n_k
///     x_{k−1} = y_{k−1} + μ₁(x_k, ε̃(x_k; target)) − μ₁(y_k, ε̃(y_k; source)),   x_K = y_K
///
/// The clean latent is the state at the first timestep (`StateGrid`). Draws: n_0 … n_{K−1}.
public struct CycleSDE: InvertingMethod {
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
    evaluations:
      "K·(1 or 2, + 1 or 2), K = ⌊strength·steps⌋ but at most steps − 1: 198, 99 with a saved inversion")

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
  public var evaluations: Int { evaluations(inversion: .discarded) }
  public func evaluations(inversion: InversionUse) -> Int {
    let source = inversion == .given ? 0 : Guidance(sourceGuidance).evaluations
    return transitionCount * (source + Guidance(targetGuidance).evaluations)
  }

  public var inversionParameters: Set<String> { ["steps", "source-guidance"] }
  /// The forward path, with the predictions along it if they are kept.
  public func storageBytes(height: Int, width: Int, channels: Int, inversion: InversionUse) -> Int {
    switch inversion {
    case .discarded: bytes(transitionCount + 1, height, width, channels)
    case .kept: bytes(2 * transitionCount + 1, height, width, channels)
    case .given: 0
    }
  }

  public func validate(on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters()
    _ = try schedule.stateGrid(steps: steps)
    try requireTransition(strength, of: steps)
  }

  /// - Parameter inversion: to be used instead of a new path.
  public func edit(
    _ source: Latent, from prompt: Condition, to target: Condition, given inversion: Inversion? = nil,
    model: Diffusion<some NoisePredictor>, tape: any NoiseTape, observer: EditObserver = .none
  ) async throws -> Latent {
    try checkParameters()
    let path =
      if let inversion { inversion } else {
        newInversion(states: try forward(source, model.schedule, tape: tape, observer: observer))
      }
    try check(path)
    return try await edit(
      along: path, from: prompt, to: target, keeping: nil, method: name, model: model, observer: observer)
  }

  /// y_0 … y_K; the predictions along it come while it is followed.
  func forward(
    _ source: Latent, _ schedule: NoiseSchedule, tape: any NoiseTape, observer: EditObserver
  ) throws -> [Int: Latent] {
    let path = try schedule.stateGrid(steps: steps).forward(source, levels: transitionCount, tape: tape)
    for y in path { observer("forward", y) }
    return path.byLevel
  }

  /// With a mask, every state outside it is the photo's own (DiffEdit-SDE).
  func edit(
    along path: Inversion, from prompt: Condition, to target: Condition, keeping mask: Mask?, method: String,
    model: Diffusion<some NoisePredictor>, observer: EditObserver
  ) async throws -> Latent {
    let grid = try model.schedule.stateGrid(steps: steps)
    return try await model.follow(
      path, from: (prompt, Guidance(sourceGuidance)), to: (target, Guidance(targetGuidance)),
      levels: transitionCount, eta: 1, keeping: mask, method: method, observer: observer,
      step: grid.transition)
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
