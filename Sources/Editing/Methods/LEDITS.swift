import Tensors

/// LEDITS: edit-friendly DDPM inversion combined with semantic guidance (Tsaban & Passos 2023).
///
/// Workflow 1, pure inversion: no target prompt, concepts alone edit.
/// Workflow 2, joint: a target prompt and concepts.
///
///     x_{ℓ−1} = μ(x_ℓ, ε) + δ_ℓ,   ε from `SemanticGuidance`,   ℓ = N − skip … 1
///
/// Draws: those of the inversion.
public struct LEDITS: InvertingMethod, ConceptMethod {
  /// N, skip, guidance and η, shared with the plain edit.
  public var inversion = DDPMInversion()
  public var semantics = SemanticGuidance(momentumScale: 0.3, momentumBeta: 0.6)
  public var concept = Concept.ledits
  package var concepts: [Concept] {
    get { semantics.concepts }
    set { semantics.concepts = newValue }
  }

  public init() {}

  public static let about = MethodSummary(
    name: "ledits", summary: "Retraces the photo's noise while concepts, and a target prompt if given, edit.",
    paper: "Tsaban & Passos 2023, LEDITS: Real Image Editing with DDPM Inversion and Semantic Guidance",
    goals: [.object, .style, .remove], needs: [.image, .concepts], accepts: [.sourcePrompt, .targetPrompt],
    evaluations: "(1 or 2)·(steps − skip) + (steps − skip)·(1 or 2, + concepts) = 192 for one concept alone; "
      + "(1 or 2)·steps for the first part to save the inversion, nothing with a saved one")

  public static let parameters: [Parameter<LEDITS>] =
    DDPMInversion.parameters.map { row in
      let row = row.inside(\LEDITS.inversion)
      return switch row.option {
      case "solver": row.fixed
      case "cfg-scale": row.idle { $1.hasTargetText ? nil : "without a prompt" }
      default: row
      }
    }
    + SemanticGuidance.parameters.map { $0.inside(\LEDITS.semantics) }
    + Concept.parameters.map { $0.inside(\LEDITS.concept) }
  public static var caseKinds: [String: Self] { ["ledits": Self()] }

  public func evaluations(_ outline: EditOutline) -> Int {
    inversion.inversionEvaluations(outline)
      + with(conceptsOf: outline).semantics.evaluations(
        steps: inversion.editedLevels, promptScale: outline.hasTargetText ? inversion.targetGuidance : nil)
  }
  public func evaluationsAtOnce(_ outline: EditOutline) -> Int {
    with(conceptsOf: outline).semantics.evaluations(
      steps: 1, promptScale: outline.hasTargetText ? inversion.targetGuidance : nil)
  }

  public static let inversionFamily = DDPMInversion.name
  public func storageBytes(_ outline: EditOutline, height: Int, width: Int, channels: Int) -> Int {
    inversion.storageBytes(outline, height: height, width: width, channels: channels)
      + bytes(2, height, width, channels)
  }

  public func validate(_ outline: EditOutline, on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters(outline)
    try inversion.checkLevels(on: schedule, method: name)
  }

  public func run(_ inputs: EditInputs, in context: EditContext) async throws -> Latent {
    try validate(inputs.outline, on: context.diffusion.schedule)
    let method = with(conceptsOf: inputs.outline)
    try method.concepts.check(against: inputs.conceptConditions.count, method: name)
    method.warnOfRemoval(inputs.outline, context.observer)
    let noises =
      if let given = inputs.inversion { given } else { try await inversion.invert(inputs, in: context) }
    return try await method.edit(
      noises, to: inputs.outline.hasTargetText ? inputs.targetCondition : nil,
      concepts: inputs.conceptConditions, in: context)
  }

  /// - Parameters:
  ///   - noises: the photo, inverted on the same grid.
  ///   - target: nil for workflow 1.
  private func edit(
    _ noises: Inversion, to target: Condition?, concepts: [Condition], in context: EditContext
  ) async throws -> Latent {
    let (model, observer) = (context.diffusion, context.observer)
    try check(noises)
    let grid = try model.schedule.samplingGrid(steps: inversion.steps)
    let prompt = target.map { ($0, inversion.targetGuidance) }
    var momentum = SemanticGuidance.Momentum()
    var x = try noises.state(inversion.editedLevels)
    for (i, level) in (1...inversion.editedLevels).reversed().enumerated() {
      let step = EditFriendlyStep(grid.transition(from: level), eta: inversion.eta)
      let eps = try await model.guided(
        x, timestep: step.timestep, prompt, semantics, concepts, at: i, &momentum)
      x = try step(x, eps, inversion.residual(level, of: noises)).checked(name, step: i + 1)
      observer("traj", x)
    }
    observer("out", x)
    return x
  }
}

extension EditMethod {
  /// LEDITS (`ledits`); `skip` is a part of the steps.
  ///
  /// What is nil is the model's default or the paper's.
  public static func ledits(
    steps: Int? = nil, skip: Double? = nil, sourceGuidance: Double? = nil, guidance: Double? = nil,
    eta: Double? = nil, zeroLast: Int? = nil, momentumScale: Double? = nil, momentumBeta: Double? = nil,
    conceptScale: Double? = nil, conceptWarmup: Int? = nil, conceptCooldown: Int? = nil,
    conceptThreshold: Double? = nil
  ) -> EditMethod {
    EditMethod(
      LEDITS.self, Given(\.inversion.steps, steps), Given(\.inversion.skip, skip),
      Given(\.inversion.sourceGuidance, sourceGuidance), Given(\.inversion.targetGuidance, guidance),
      Given(\.inversion.eta, eta), Given(\.inversion.zeroLast, zeroLast),
      Given(\.semantics.momentumScale, momentumScale), Given(\.semantics.momentumBeta, momentumBeta),
      Given(\.concept.scale, conceptScale), Given(\.concept.warmup, conceptWarmup),
      Given(\.concept.cooldown, conceptCooldown), Given(\.concept.threshold, conceptThreshold))
  }
}
