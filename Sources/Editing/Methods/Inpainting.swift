import Tensors

/// Inpainting with an ordinary model: sample inside the mask with DPM-Solver++, and put the photo, noised to
/// the same level, outside it after every step (Lugmayr et al. 2022 without resampling; ODE and SDE compared
/// by Nie et al. 2024).
///
///     x ← M·x' + (1 − M)·(A_{k+1}·x₀ + S_{k+1}·n),   the same n as the start;   last step: x₀ outside
///
/// M is binary, or a place takes part as its grey says (`ChangeMap`).
///
/// Draws: the start; SDE: then one per step but the last.
public struct Inpainting: EditingMethod {
  public var steps = 50
  public var guidance = 7.5
  /// 1 starts from noise alone.
  public var strength = 1.0
  public var sampler = Sampler.sde
  /// Order of the solver, 1 or 2.
  public var order = 2
  /// Whether grey means a part of the steps; false: it is cut at a half, and then cells take their upper left pixel.
  public var softMask = true

  public init() {}

  public static let about = MethodSummary(
    name: "inpaint", summary: "Repaints inside a mask; outside the photo's latent stays bit for bit.",
    paper: "Nie et al. 2024, The Blessing of Randomness; Lu et al. 2022, DPM-Solver++",
    goals: [.object, .remove], needs: [.image, .targetPrompt, .mask], needsWords: true,
    samplers: [.ode, .sde], maskRule: .nearest,
    evaluations: "2·⌊strength·steps⌋ = 100")

  public static let parameters: [Parameter<Inpainting>] = [
    Parameter("steps", \.steps, .within(1...999), "network steps of the whole schedule").inCases("steps"),
    Parameter("cfg-scale", \.guidance, .any, "weight of the prompt").reported(as: "guidance").inCases("w"),
    Parameter(
      "strength", \.strength, .fraction, "part of the schedule that is run; 1 starts from noise alone"
    )
    .inCases("strength"),
    Parameter("sampler", \.sampler, "deterministic or with noise in every step")
      .inCases("sde") { (method, value) throws(CaseFault) in method.sampler = try Sampler(ofCase: value) },
    Parameter("order", \.order, .within(1...2), "order of the solver").inCases("order"),
    Parameter(
      "soft-mask", \.softMask,
      "grey of the mask is the part of the steps in which a place changes; false: cut at a half"),
  ]
  /// Cases have masks of black and white.
  public static var caseKinds: [String: Self] { ["inpaint": Self()] }
  public var maskRule: MaskRule { softMask ? .gradual : .nearest }

  public func evaluations(_ outline: EditOutline) -> Int {
    transitions(strength, of: steps) * Guidance(guidance).evaluations
  }
  /// The noise that the photo outside the mask is given.
  public func storageBytes(_ outline: EditOutline, height: Int, width: Int, channels: Int) -> Int {
    bytes(1, height, width, channels)
  }

  public func validate(_ outline: EditOutline, on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters(outline)
    _ = try schedule.dpmGrid(steps: steps, spacing: .linspace)
    try requireTransition(strength, of: steps)
  }

  /// Outside the mask the photo comes back bit for bit.
  public func run(_ inputs: EditInputs, in context: EditContext) async throws -> Latent {
    try checkParameters(inputs.outline)
    let (model, tape, observer) = (context.diffusion, context.tape, context.observer)
    let (source, target) = (try inputs.photo(for: name), try inputs.target(for: name))
    guard let given = inputs.mask else { throw EditError.missing(method: name, need: "a mask") }
    try given.check(for: source)
    let mask = softMask ? given : given.binarized()
    if mask.leavesNothing(observer, cutFrom: given) { return source }
    let grid = try model.schedule.dpmGrid(steps: steps, spacing: .linspace)
    let first = steps - transitions(strength, of: steps)
    let changes = ChangeMap(mask, steps: steps - first)
    let n = try tape.normal(0, like: source)
    func noised(_ k: Int) -> Latent {
      k == steps ? source : .combination([(grid.signal[k], source), (grid.noise[k], n)])
    }

    var x = strength >= 1 ? n : noised(first)
    var previous: Latent?
    for (i, k) in (first..<steps).enumerated() {
      let eps = try await model.guided(x, timestep: grid.timesteps[k], target, Guidance(guidance))
      let m = grid.denoised(k, x, eps)
      let z = sampler == .sde && k < steps - 1 ? try tape.normal(1 + i, like: source) : nil
      let next = grid.step(k, x, denoised: m, previous: order == 2 ? previous : nil, sampler, noise: z)
      x = try changes.kept(next, afterStep: i, photo: noised(k + 1)).checked(name, step: i + 1)
      previous = m
      observer("traj", x)
    }
    observer("out", x)
    return x
  }
}

extension EditMethod {
  /// Inpainting (`inpaint`).
  ///
  /// What is nil is the model's default or the paper's.
  public static func inpaint(
    steps: Int? = nil, guidance: Double? = nil, strength: Double? = nil, sampler: Sampler? = nil,
    order: Int? = nil, softMask: Bool? = nil
  ) -> EditMethod {
    EditMethod(
      Inpainting.self, Given(\.steps, steps), Given(\.guidance, guidance), Given(\.strength, strength),
      Given(\.sampler, sampler), Given(\.order, order), Given(\.softMask, softMask))
  }
}
