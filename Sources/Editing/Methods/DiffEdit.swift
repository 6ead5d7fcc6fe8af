import Tensors

/// DiffEdit: edit inside a mask, which the two prompts find themselves unless one is given, and keep the
/// photo's own states outside (Couairon et al. 2023; its SDE version Nie et al. 2024).
///
///     ODE  y: DDIM inversion;  x_{ℓ−1} = M·μ₀(x_ℓ, ε̃(x_ℓ; target)) + (1 − M)·y_{ℓ−1}
///     SDE  y: forward SDE;     x_{k−1} = M·(Cycle-SDE step) + (1 − M)·y_{k−1}
///
/// Draws: those of the mask if it is not given; SDE: then n_0 … n_{K−1}.
public struct DiffEdit: EditingMethod {
  public var steps = 50
  public var strength = 0.7
  public var guidance = 7.5
  public var sampler = Sampler.sde
  /// ODE: weight of the source prompt in the inversion; 1 inverts more faithfully.
  public var inversionGuidance = 7.5
  /// ODE: guidance points away from the source prompt, as in the released code, not from the empty one.
  public var usesSourceAsNegative = true
  /// ODE: blend with the photo's state one level too noisy, as one public pipeline does.
  public var blendsReferenceLevel = false
  public var automaticMask = DiffEditMask()

  public init() {}

  public static let about = MethodSummary(
    name: "diffedit", summary: "Finds where the prompts differ and edits there; the rest stays bit for bit.",
    paper: "Couairon et al. 2023, DiffEdit; Nie et al. 2024, The Blessing of Randomness",
    needs: [.image, .sourcePrompt, .targetPrompt], accepts: [.mask], samplers: [.ode, .sde],
    evaluations: "4·⌊strength·steps⌋ = 140, and 4·maps = 40 for the mask")

  public var parameters: [Parameter] {
    [
      Parameter("steps", steps, .within(2...1000), "network steps of the whole schedule"),
      Parameter("strength", strength, .fraction, "part of the schedule that is run (t0)"),
      Parameter("guidance", guidance, .any, "weight of the target prompt; SDE: of the source prompt too"),
      Parameter("sampler", sampler, "DDIM inversion or the forward SDE"),
      Parameter("inversion-guidance", inversionGuidance, .any, "ODE: weight of the source prompt"),
      Parameter(
        "source-as-negative", usesSourceAsNegative, "ODE: guidance points away from the source prompt"),
      Parameter(
        "reference-blend", blendsReferenceLevel, "ODE: blend one level too noisy, as a public pipeline"),
    ] + automaticMask.parameters
  }

  /// K.
  private var levels: Int {
    let count = transitions(strength, of: steps)
    return sampler == .ode ? count : min(count, steps - 1)
  }
  public func evaluations(hasMask: Bool) -> Int {
    let source = Guidance(sampler == .ode ? inversionGuidance : guidance).evaluations
    return levels * (source + Guidance(guidance).evaluations) + (hasMask ? 0 : automaticMask.evaluations)
  }
  /// The photo's path; the samples of an automatic mask are gone before.
  public func storageBytes(height: Int, width: Int, channels: Int = 4) -> Int {
    bytes(max(levels + 1, 4 * automaticMask.maps), height, width, channels)
  }

  public func validate(on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters()
    try automaticMask.validate(on: schedule)
    _ = try schedule.leadingGrid(steps: steps)
    try requireTransition(strength, of: steps)
  }

  /// - Parameter mask: 1 = editable; nil: found from the prompts. Outside it `source` comes back bit for bit.
  public func edit(
    _ source: Latent, from prompt: Condition, to target: Condition, mask given: Mask? = nil,
    model: Diffusion<some NoisePredictor>, tape: any NoiseTape, observer: EditObserver = .none
  ) async throws -> Latent {
    try checkParameters()
    try given?.check(for: source)
    var (mask, tape) = (given ?? Mask(height: source.height, width: source.width), tape)
    if given == nil {
      mask = try await automaticMask(source, from: prompt, to: target, model: model, tape: tape)
      tape = tape.dropFirst(1)
      observer.found(mask)
    }
    if !(sampler == .ode && blendsReferenceLevel), mask.leavesNothing(observer) { return source }

    switch sampler {
    case .ode:
      return try await editODE(source, from: prompt, to: target, mask, model: model, observer: observer)
    case .sde:
      var cycle = CycleSDE()
      (cycle.steps, cycle.strength) = (steps, strength)
      (cycle.sourceGuidance, cycle.targetGuidance) = (guidance, guidance)
      return try await cycle.edit(
        source, from: prompt, to: target, keeping: mask, method: name, model: model, tape: tape,
        observer: observer)
    }
  }

  private func editODE(
    _ source: Latent, from prompt: Condition, to target: Condition, _ mask: Mask,
    model: Diffusion<some NoisePredictor>, observer: EditObserver
  ) async throws -> Latent {
    let grid = try model.schedule.leadingGrid(steps: steps)
    let path = try await model.ddimInversion(
      source, from: prompt, guidance: Guidance(inversionGuidance), levels: levels, on: grid, method: name)
    for y in path { observer("inverted", y) }
    var x = path[levels]
    for (i, level) in stride(from: levels, through: 1, by: -1).enumerated() {
      let step = grid.transition(from: level)
      let query = GuidedQuery(
        x, timestep: step.timestep, target, Guidance(guidance), over: usesSourceAsNegative ? prompt : nil)
      let eps = try await model.guided([query])[0]
      let outside = path[blendsReferenceLevel ? level : level - 1]
      x = try mask.blend(inside: step.mean(x, eps, eta: 0), outside: outside).checked(name, step: i + 1)
      observer("traj", x)
    }
    observer("out", x)
    return x
  }
}
