import Tensors

/// SDEdit: noise the photo part of the way, then sample towards the prompt (Meng et al. 2022;
/// ODE and SDE compared by Nie et al. 2024).
///
///     x_K = a·x₀ + s·n,  K = ⌊t₀·N⌋;   x_{ℓ−1} = μ_η(x_ℓ, ε̃(x_ℓ, t)) + σ·z,   ℓ = K … 1
///
/// A latent consistency model goes down by its jumps (`consistencySample`), from the noisiest of the timesteps that the
/// strength leaves it. With a mask a place takes part as its grey says (`ChangeMap`).
///
/// Draws: the noise of the start; SDE: then one per transition with σ > 0; jumps: then one between two of them.
public struct SDEdit: EditingMethod {
  public var steps = 50
  public var strength = 0.5
  public var guidance = 7.5
  public var sampler = PictureSampler.sde
  /// Told to the network of a latent consistency model.
  public var embedGuidance: Double?

  public init() {}

  public static let about = MethodSummary(
    name: "sdedit", summary: "Noises the photo part of the way and denoises it towards the prompt.",
    paper: "Meng et al. 2022, SDEdit; Nie et al. 2024, The Blessing of Randomness",
    goals: [.style, .fast], needs: [.image, .targetPrompt], accepts: [.mask], needsWords: true,
    samplers: [.ode, .sde],
    maskRule: .gradual,
    evaluations: "2·⌊strength·steps⌋ = 50")

  public static let parameters: [Parameter<SDEdit>] = [
    Parameter("steps", \.steps, .steps, "network steps of the whole schedule").inCases("steps"),
    Parameter(
      "strength", \.strength, .fraction, "part of the schedule that is run (t0); 0.4 to 0.8 is usual"
    )
    .inCases("t0", "strength", isNeeded: true) { (method, value) throws(CaseFault) in
      guard case .number(let strength)? = value("t0") ?? value("strength") else {
        throw CaseFault(key: "t0", expected: "a number")
      }
      method.strength = strength
    },
    Parameter("cfg-scale", \.guidance, .any, "weight of the prompt").reported(as: "guidance").inCases("w"),
    Parameter(
      "sampler", \.sampler,
      "deterministic, with noise in every step, or the jumps of a latent consistency model"
    )
    .inCases("sde") { (method, value) throws(CaseFault) in try method.sampler.read(value) },
    .toldGuidance(\.embedGuidance),
  ]
  public static var caseKinds: [String: Self] {
    var jumps = Self()
    jumps.sampler = .lcm
    return ["sdedit": Self(), "lcm_sdedit": jumps]
  }

  /// All steps of a consistency model lie within its strength; the published pipeline runs 0.8.
  public static func defaults(of kind: ModelKind, beside given: MethodSettings) -> MethodSettings {
    var settings = samplingDefaults(of: kind, beside: given)
    let sampler = given[PictureSampler.option] ?? settings[PictureSampler.option]
    if sampler == .word(PictureSampler.lcm.rawValue) { settings["strength"] = .number(0.8) }
    return settings
  }

  public func evaluations(_ outline: EditOutline) -> Int {
    (sampler == .lcm ? steps : transitions(strength, of: steps)) * Guidance(guidance).evaluations
  }
  /// With a mask, the noise that the photo outside it is given.
  public func storageBytes(_ outline: EditOutline, height: Int, width: Int, channels: Int) -> Int {
    outline.hasMask ? bytes(1, height, width, channels) : 0
  }

  public func validate(_ outline: EditOutline, on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters(outline)
    if sampler == .lcm {
      try requireTransition(strength, of: schedule.consistency.originalSteps)
      _ = try schedule.consistencyGrid(steps: steps, strength: strength)
    } else {
      _ = try schedule.samplingGrid(steps: steps)
      try requireTransition(strength, of: steps)
    }
  }

  /// The photo itself if `strength` is below one step.
  public func run(_ inputs: EditInputs, in context: EditContext) async throws -> Latent {
    try checkParameters(inputs.outline)
    let (model, tape, observer) = (context.diffusion, context.tape, context.observer)
    let (source, target) = (try inputs.photo(for: name), try inputs.target(for: name))
    try inputs.mask?.check(for: source)
    if let mask = inputs.mask, mask.leavesNothing(observer) { return source }
    if sampler == .lcm { return try await jump(from: source, to: target, inputs.mask, in: context) }
    let grid = try model.schedule.samplingGrid(steps: steps)
    let top = transitions(strength, of: steps)
    let changes = inputs.mask.map { ChangeMap($0, steps: top) }
    let n = top > 0 ? try tape.normal(0, like: source) : source
    func noised(_ level: Int) -> Latent {
      level == 0 ? source : model.schedule.diffuse(source, to: grid.timestep(level), n)
    }
    var x = noised(top)
    observer("traj", x)
    for (i, level) in stride(from: top, through: 1, by: -1).enumerated() {
      let step = grid.transition(from: level)
      let eps = try await model.guided(
        x, timestep: step.timestep, target, Guidance(guidance), telling: embedGuidance)
      x = try step.step(x, eps, eta: sampler.eta, noise: tape.normal(1 + i, like: x))
      x = try (changes?.kept(x, afterStep: i, photo: noised(level - 1)) ?? x).checked(name, step: i + 1)
      observer("traj", x)
    }
    observer("out", x)
    return x
  }
}

extension SDEdit {
  /// The jumps of a latent consistency model, from the photo's noise on.
  private func jump(
    from source: Latent, to target: Condition, _ mask: Mask?, in context: EditContext
  ) async throws -> Latent {
    let (model, tape, observer) = (context.diffusion, context.tape, context.observer)
    let grid = try model.schedule.consistencyGrid(steps: steps, strength: strength)
    let changes = mask.map { ChangeMap($0, steps: steps) }
    let n = try tape.normal(0, like: source)
    func noised(_ step: Int) -> Latent {
      step == steps ? source : model.schedule.diffuse(source, to: grid.timesteps[step], n)
    }
    observer("traj", noised(0))
    let x = try await model.consistencySample(
      noised(0), on: grid, towards: target, Guidance(guidance), telling: embedGuidance, method: name,
      observer: observer, noise: { try tape.normal(1 + $0, like: source) },
      keeping: { x, i in changes?.kept(x, afterStep: i, photo: noised(i + 1)) ?? x })
    observer("out", x)
    return x
  }
}

extension EditMethod {
  /// SDEdit (`sdedit`).
  ///
  /// What is nil is the model's default or the paper's.
  public static func sdedit(
    steps: Int? = nil, strength: Double? = nil, guidance: Double? = nil, sampler: PictureSampler? = nil,
    embedGuidance: Double? = nil
  ) -> EditMethod {
    EditMethod(
      SDEdit.self, Given(\.steps, steps), Given(\.strength, strength), Given(\.guidance, guidance),
      Given(\.sampler, sampler), Given(\.embedGuidance, embedGuidance))
  }
}
