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
    goals: [.object], needs: [.image, .sourcePrompt, .targetPrompt], accepts: [.mask], needsWords: true,
    samplers: [.ode, .sde], maskRule: .majority, findsMask: .always,
    evaluations: "4·⌊strength·steps⌋ = 140, and 4·maps = 40 for the mask; 70 with a saved inversion")

  public static let parameters: [Parameter<DiffEdit>] =
    [
      Parameter("steps", \.steps, .within(2...1000), "network steps of the whole schedule").inCases("steps")
        .shapesInversion(),
      Parameter("strength", \.strength, .fraction, "part of the schedule that is run (t0)").inCases("t0"),
      // Along the SDE's path one weight serves both prompts.
      Parameter("cfg-scale", \.guidance, .any, "weight of the target prompt; SDE: of the source prompt too")
        .reported(as: "guidance").inCases("w").shapesInversion { $0.sampler == .sde },
      Parameter("sampler", \.sampler, "DDIM inversion or the forward SDE").shapesInversion(),
      Parameter("source-cfg-scale", \.inversionGuidance, .any, "ODE: weight of the source prompt")
        .reported(as: "inversion-guidance").inCases("w_inv").shapesInversion().idle(withSDE),
      Parameter(
        "source-as-negative", \.usesSourceAsNegative, "ODE: guidance points away from the source prompt"
      ).inCases("source_as_negative").idle(withSDE),
      Parameter(
        "reference-blend", \.blendsReferenceLevel, "ODE: blend one level too noisy, as a public pipeline"
      ).inCases("reference_blend").idle(withSDE),
    ]
    // These count where the mask was found.
    + DiffEditMask.parameters.map { row in
      row.inside(\DiffEdit.automaticMask).notInCases.shapesInversion().idle {
        $1.hasMask ? "with a mask that is given" : nil
      }
    }
  private static let withSDE: @Sendable (DiffEdit, EditOutline) -> String? = { method, _ in
    method.sampler == .sde ? "with the sampler sde" : nil
  }
  public static var caseKinds: [String: Self] {
    var (ode, sde) = (Self(), Self())
    (ode.sampler, sde.sampler) = (.ode, .sde)
    // A case that says nothing of them does without.
    (ode.usesSourceAsNegative, ode.blendsReferenceLevel) = (false, false)
    return ["diffedit_ode": ode, "diffedit_sde": sde]
  }

  /// K.
  private var levels: Int {
    let count = transitions(strength, of: steps)
    return sampler == .ode ? count : min(count, steps - 1)
  }
  public func evaluations(_ outline: EditOutline) -> Int {
    var source = Guidance(sampler == .ode ? inversionGuidance : guidance).evaluations
    if outline.inversion == .given { source = 0 }
    let hasMask = outline.hasMask || outline.inversionHasMask
    return levels * (source + Guidance(guidance).evaluations) + (hasMask ? 0 : automaticMask.evaluations)
  }
  /// The SDE asks for the photo's path together with the edit's.
  public func evaluationsAtOnce(_ outline: EditOutline) -> Int {
    let asksForPath = sampler == .sde && outline.inversion != .given
    return (asksForPath ? 2 : 1) * Guidance(guidance).evaluations
  }

  /// The photo's path; the samples of an automatic mask are gone before.
  public func storageBytes(_ outline: EditOutline, height: Int, width: Int, channels: Int) -> Int {
    let path =
      switch outline.inversion {
      case .discarded: levels + 1
      case .kept: sampler == .ode ? levels + 1 : 2 * levels + 1
      case .given: 0
      }
    return bytes(max(path, 4 * automaticMask.maps), height, width, channels)
  }

  public func validate(_ outline: EditOutline, on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters(outline)
    try automaticMask.validate(on: schedule)
    _ = try schedule.samplingGrid(steps: steps)
    try requireTransition(strength, of: steps)
  }

  /// Outside the mask, given, the inversion's or found from the prompts, the photo comes back bit for bit.
  public func run(_ inputs: EditInputs, in context: EditContext) async throws -> Latent {
    try checkParameters(inputs.outline)
    let (observer, given) = (context.observer, inputs.mask)
    let source = try inputs.photo(for: name)
    let (prompt, target) = (try inputs.reference(for: name), try inputs.target(for: name))
    if let inversion = inputs.inversion { try check(inversion) }
    let known = given ?? inputs.inversion?.mask
    try known?.check(for: source)
    var (mask, context) = (known ?? Mask(height: source.height, width: source.width), context)
    if known == nil {
      mask = try await automaticMask(source, from: prompt, to: target, in: context)
      context.tape = context.tape.dropFirst(1)
    }
    if given == nil { observer.found(mask) }
    if !(sampler == .ode && blendsReferenceLevel), mask.leavesNothing(observer) { return source }

    var path =
      if let inversion = inputs.inversion { inversion } else {
        newInversion(inputs.outline, states: try await path(of: source, from: prompt, in: context))
      }
    path.mask = given == nil ? mask : nil
    switch sampler {
    case .ode: return try await editODE(along: path, from: prompt, to: target, mask, in: context)
    case .sde:
      return try await cycle.edit(
        along: path, from: prompt, to: target, keeping: mask, method: name, in: context)
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
    of source: Latent, from prompt: Condition, in context: EditContext
  ) async throws -> [Int: Latent] {
    let (model, observer) = (context.diffusion, context.observer)
    guard sampler == .ode else { return try cycle.forward(source, in: context) }
    let path = try await model.ddimInversion(
      source, from: prompt, guidance: Guidance(inversionGuidance), levels: levels,
      on: model.schedule.samplingGrid(steps: steps), method: name)
    for y in path { observer("inverted", y) }
    return path.byLevel
  }

  private func editODE(
    along path: Inversion, from prompt: Condition, to target: Condition, _ mask: Mask,
    in context: EditContext
  ) async throws -> Latent {
    let (model, observer) = (context.diffusion, context.observer)
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

extension EditMethod {
  /// DiffEdit (`diffedit`).
  ///
  /// What is nil is the model's default or the paper's.
  public static func diffEdit(
    steps: Int? = nil, strength: Double? = nil, guidance: Double? = nil, sampler: Sampler? = nil,
    sourceGuidance: Double? = nil, sourceAsNegative: Bool? = nil, referenceBlend: Bool? = nil,
    maskMaps: Int? = nil, maskStrength: Double? = nil, maskGuidance: Double? = nil, maskRatio: Double? = nil
  ) -> EditMethod {
    EditMethod(
      DiffEdit.self, Given(\.steps, steps), Given(\.strength, strength), Given(\.guidance, guidance),
      Given(\.sampler, sampler), Given(\.inversionGuidance, sourceGuidance),
      Given(\.usesSourceAsNegative, sourceAsNegative), Given(\.blendsReferenceLevel, referenceBlend),
      Given(\.automaticMask.maps, maskMaps), Given(\.automaticMask.strength, maskStrength),
      Given(\.automaticMask.guidance, maskGuidance), Given(\.automaticMask.ratio, maskRatio))
  }
}
