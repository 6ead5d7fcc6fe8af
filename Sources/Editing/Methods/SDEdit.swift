import Tensors

/// SDEdit: noise the photo part of the way, then sample towards the prompt (Meng et al. 2022;
/// ODE and SDE compared by Nie et al. 2024).
///
///     x_K = a·x₀ + s·n,  K = ⌊t₀·N⌋;   x_{ℓ−1} = μ_η(x_ℓ, ε̃(x_ℓ, t)) + σ·z,   ℓ = K … 1
///
/// A latent consistency model goes down by its jumps (`consistencySample`), from the noisiest of the timesteps that the
/// strength leaves it.
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
    needs: [.image, .targetPrompt], needsWords: true, samplers: [.ode, .sde],
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
  public func storageBytes(_ outline: EditOutline, height: Int, width: Int, channels: Int) -> Int { 0 }

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
    if sampler == .lcm {
      let grid = try model.schedule.consistencyGrid(steps: steps, strength: strength)
      var x = model.schedule.diffuse(source, to: grid.timesteps[0], try tape.normal(0, like: source))
      observer("traj", x)
      x = try await model.consistencySample(
        x, on: grid, towards: target, Guidance(guidance), telling: embedGuidance, method: name,
        observer: observer
      ) { try tape.normal(1 + $0, like: source) }
      observer("out", x)
      return x
    }
    let grid = try model.schedule.samplingGrid(steps: steps)
    let top = transitions(strength, of: steps)
    var x = source
    if top > 0 {
      x = model.schedule.diffuse(source, to: grid.timestep(top), try tape.normal(0, like: source))
    }
    observer("traj", x)
    for (i, level) in stride(from: top, through: 1, by: -1).enumerated() {
      let step = grid.transition(from: level)
      let eps = try await model.guided(
        x, timestep: step.timestep, target, Guidance(guidance), telling: embedGuidance)
      x = try step.step(x, eps, eta: sampler.eta, noise: tape.normal(1 + i, like: x)).checked(
        name, step: i + 1)
      observer("traj", x)
    }
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
