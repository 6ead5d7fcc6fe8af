import Tensors

/// DiffEdit: edit inside a mask, which the two prompts find themselves unless one is given, and keep the
/// photo's own states outside (Couairon et al. 2023; its SDE version Nie et al. 2024).
///
///     ODE  y: DDIM inversion;  x_{ℓ−1} = M·μ₀(x_ℓ, ε̃(x_ℓ; target)) + (1 − M)·y_{ℓ−1}
///     SDE  y: forward SDE;     x_{k−1} = M·(Cycle-SDE step) + (1 − M)·y_{k−1}
///
/// Draws: those of the mask if it is not given; SDE: then n_0 … n_{K−1}.
public struct DiffEdit: InvertingMethod {
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
    evaluations: "4·⌊strength·steps⌋ = 140, and 4·maps = 40 for the mask; 70 with a saved inversion")

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
  public func evaluations(hasMask: Bool, inversion: InversionUse = .discarded) -> Int {
    var source = Guidance(sampler == .ode ? inversionGuidance : guidance).evaluations
    if inversion == .given { source = 0 }
    return levels * (source + Guidance(guidance).evaluations) + (hasMask ? 0 : automaticMask.evaluations)
  }

  /// Along the SDE's path one weight serves both prompts. The mask's own parameters count where it was found.
  public var inversionParameters: Set<String> {
    Set(automaticMask.parameters.map(\.name)).union(
      ["steps", "sampler", sampler == .ode ? "inversion-guidance" : "guidance"])
  }
  /// The photo's path; the samples of an automatic mask are gone before.
  public func storageBytes(height: Int, width: Int, channels: Int, inversion: InversionUse) -> Int {
    let path =
      switch inversion {
      case .discarded: levels + 1
      case .kept: sampler == .ode ? levels + 1 : 2 * levels + 1
      case .given: 0
      }
    return bytes(max(path, 4 * automaticMask.maps), height, width, channels)
  }

  public func validate(on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters()
    try automaticMask.validate(on: schedule)
    _ = try schedule.samplingGrid(steps: steps)
    try requireTransition(strength, of: steps)
  }

  /// - Parameters:
  ///   - given: 1 = editable; nil: the inversion's, or found from the prompts. Outside it `source` comes back bit
  ///     for bit.
  ///   - inversion: to be used instead of a new path.
  public func edit(
    _ source: Latent, from prompt: Condition, to target: Condition, mask given: Mask? = nil,
    given inversion: Inversion? = nil, model: Diffusion<some NoisePredictor>, tape: any NoiseTape,
    observer: EditObserver = .none
  ) async throws -> Latent {
    try checkParameters()
    if let inversion { try check(inversion) }
    let known = given ?? inversion?.mask
    try known?.check(for: source)
    var (mask, tape) = (known ?? Mask(height: source.height, width: source.width), tape)
    if known == nil {
      mask = try await automaticMask(source, from: prompt, to: target, model: model, tape: tape)
      tape = tape.dropFirst(1)
    }
    if given == nil { observer.found(mask) }
    if !(sampler == .ode && blendsReferenceLevel), mask.leavesNothing(observer) { return source }

    var path =
      if let inversion { inversion } else {
        newInversion(
          states: try await path(of: source, from: prompt, model: model, tape: tape, observer: observer),
          without: given == nil ? [] : Set(automaticMask.parameters.map(\.name)))
      }
    path.mask = given == nil ? mask : nil
    switch sampler {
    case .ode:
      return try await editODE(along: path, from: prompt, to: target, mask, model: model, observer: observer)
    case .sde:
      return try await cycle.edit(
        along: path, from: prompt, to: target, keeping: mask, method: name, model: model, observer: observer)
    }
  }

  /// The SDE version's way.
  private var cycle: CycleSDE {
    var cycle = CycleSDE()
    (cycle.steps, cycle.strength) = (steps, strength)
    (cycle.sourceGuidance, cycle.targetGuidance) = (guidance, guidance)
    return cycle
  }

  /// y_0 … y_K.
  private func path(
    of source: Latent, from prompt: Condition, model: Diffusion<some NoisePredictor>, tape: any NoiseTape,
    observer: EditObserver
  ) async throws -> [Int: Latent] {
    guard sampler == .ode else {
      return try cycle.forward(source, model.schedule, tape: tape, observer: observer)
    }
    let path = try await model.ddimInversion(
      source, from: prompt, guidance: Guidance(inversionGuidance), levels: levels,
      on: model.schedule.samplingGrid(steps: steps), method: name)
    for y in path { observer("inverted", y) }
    return path.byLevel
  }

  private func editODE(
    along path: Inversion, from prompt: Condition, to target: Condition, _ mask: Mask,
    model: Diffusion<some NoisePredictor>, observer: EditObserver
  ) async throws -> Latent {
    observer.inverted(path)
    let grid = try model.schedule.samplingGrid(steps: steps)
    var x = try path.state(levels)
    for (i, level) in stride(from: levels, through: 1, by: -1).enumerated() {
      let step = grid.transition(from: level)
      let query = GuidedQuery(
        x, timestep: step.timestep, target, Guidance(guidance), over: usesSourceAsNegative ? prompt : nil)
      let eps = try await model.guided([query])[0]
      let outside = try path.state(blendsReferenceLevel ? level : level - 1)
      x = try mask.blend(inside: step.mean(x, eps, eta: 0), outside: outside).checked(name, step: i + 1)
      observer("traj", x)
    }
    observer("out", x)
    return x
  }
}
