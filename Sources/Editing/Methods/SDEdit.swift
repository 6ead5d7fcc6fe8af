import Tensors

/// SDEdit: noise the photo part of the way, then sample towards the prompt (Meng et al. 2022;
/// ODE and SDE compared by Nie et al. 2024).
///
///     x_K = a·x₀ + s·n,  K = ⌊t₀·N⌋;   x_{ℓ−1} = μ_η(x_ℓ, ε̃(x_ℓ, t)) + σ·z,   ℓ = K … 1
///
/// With a mask a place takes part as its grey says (`ChangeMap`).
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
    needs: [.image, .targetPrompt], accepts: [.mask], needsWords: true, samplers: [.ode, .sde],
    maskRule: .gradual,
    evaluations: "2·⌊strength·steps⌋ = 50")

  public static let parameters: [Parameter<SDEdit>] = [
    Parameter("steps", \.steps, .steps, "network steps of the whole schedule").inCases("steps"),
    Parameter(
      "strength", \.strength, .fraction, "part of the schedule that is run (t0); 0.4 to 0.8 is usual"
    ).inCases("t0"),
    Parameter("cfg-scale", \.guidance, .any, "weight of the prompt").reported(as: "guidance").inCases("w"),
    Parameter("sampler", \.sampler, "deterministic or with noise in every step")
      .inCases("sde") { (method, value) throws(CaseFault) in method.sampler = try Sampler(ofCase: value) },
  ]
  public static var caseKinds: [String: Self] { ["sdedit": Self()] }

  public func evaluations(_ outline: EditOutline) -> Int {
    transitions(strength, of: steps) * Guidance(guidance).evaluations
  }
  /// With a mask, the noise that the photo outside it is given.
  public func storageBytes(_ outline: EditOutline, height: Int, width: Int, channels: Int) -> Int {
    outline.hasMask ? bytes(1, height, width, channels) : 0
  }

  public func validate(_ outline: EditOutline, on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters(outline)
    _ = try schedule.samplingGrid(steps: steps)
    try requireTransition(strength, of: steps)
  }

  /// The photo itself if `strength` is below one step.
  public func run(_ inputs: EditInputs, in context: EditContext) async throws -> Latent {
    try checkParameters(inputs.outline)
    let (model, tape, observer) = (context.diffusion, context.tape, context.observer)
    let (source, target) = (try inputs.photo(for: name), try inputs.target(for: name))
    let grid = try model.schedule.samplingGrid(steps: steps)
    let top = transitions(strength, of: steps)
    try inputs.mask?.check(for: source)
    if let mask = inputs.mask, mask.leavesNothing(observer) { return source }
    let changes = inputs.mask.map { ChangeMap($0, steps: top) }
    let n = top > 0 ? try tape.normal(0, like: source) : source
    func noised(_ level: Int) -> Latent {
      level == 0 ? source : model.schedule.diffuse(source, to: grid.timestep(level), n)
    }
    var x = noised(top)
    observer("traj", x)
    for (i, level) in stride(from: top, through: 1, by: -1).enumerated() {
      let step = grid.transition(from: level)
      let eps = try await model.guided(x, timestep: step.timestep, target, Guidance(guidance))
      x = try step.step(x, eps, eta: sampler.eta, noise: tape.normal(1 + i, like: x))
      x = try (changes?.kept(x, afterStep: i, photo: noised(level - 1)) ?? x).checked(name, step: i + 1)
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
    steps: Int? = nil, strength: Double? = nil, guidance: Double? = nil, sampler: Sampler? = nil
  ) -> EditMethod {
    EditMethod(
      SDEdit.self, Given(\.steps, steps), Given(\.strength, strength), Given(\.guidance, guidance),
      Given(\.sampler, sampler))
  }
}
