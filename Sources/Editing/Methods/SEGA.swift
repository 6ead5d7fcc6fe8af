import Tensors

/// SEGA: text-to-image steered by concepts (Brack et al. 2023, Semantic Guidance). With a photo it becomes
/// the first workflow of LEDITS.
///
///     x_N = n;   x_{ℓ−1} = μ₀(x_ℓ, ε),   ε from `SemanticGuidance`
///
/// Draws: the start.
public struct SEGA: ConceptMethod {
  public var steps = 50
  public var guidance = 7.5
  public var semantics = SemanticGuidance(momentumScale: 0.1, momentumBeta: 0.4)
  public var concept = Concept.sega
  package var concepts: [Concept] {
    get { semantics.concepts }
    set { semantics.concepts = newValue }
  }

  public init() {}

  public static let about = MethodSummary(
    name: "sega", summary: "A picture from a text, steered by concepts to add or remove.",
    paper: "Brack et al. 2023, SEGA: Instructing Text-to-Image Models using Semantic Guidance",
    needs: [.targetPrompt, .concepts], evaluations: "steps·(2 + concepts) = 150 for one concept")

  public static let parameters: [Parameter<SEGA>] =
    [
      Parameter("steps", \.steps, .steps, "network steps").inCases("steps"),
      Parameter("cfg-scale", \.guidance, .any, "weight of the prompt").reported(as: "guidance").inCases("w"),
    ] + SemanticGuidance.parameters.map { $0.inside(\SEGA.semantics) }
    + Concept.parameters.map { $0.inside(\SEGA.concept) }
  public static var caseKinds: [String: Self] { ["sega": Self()] }

  public func evaluations(_ outline: EditOutline) -> Int {
    with(conceptsOf: outline).semantics.evaluations(steps: steps, promptScale: guidance)
  }
  public func evaluationsAtOnce(_ outline: EditOutline) -> Int {
    with(conceptsOf: outline).semantics.evaluations(steps: 1, promptScale: guidance)
  }
  /// The momentum, kept in Double.
  public func storageBytes(_ outline: EditOutline, height: Int, width: Int, channels: Int) -> Int {
    bytes(2, height, width, channels)
  }

  public func validate(_ outline: EditOutline, on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters(outline)
    _ = try schedule.samplingGrid(steps: steps)
    if outline.concepts.isEmpty { throw .missing(method: name, need: "a concept") }
  }

  public func run(_ inputs: EditInputs, in context: EditContext) async throws -> Latent {
    try validate(inputs.outline, on: context.diffusion.schedule)
    let (model, tape, observer) = (context.diffusion, context.tape, context.observer)
    let (target, concepts) = (try inputs.target(for: name), inputs.conceptConditions)
    let semantics = with(conceptsOf: inputs.outline).semantics
    try semantics.concepts.check(against: concepts.count, method: name)
    let grid = try model.schedule.samplingGrid(steps: steps)
    var momentum = SemanticGuidance.Momentum()
    var x = try tape.normal(
      0, count: 1, height: inputs.height, width: inputs.width, channels: inputs.channels)[0]
    observer("traj", x)
    for (i, level) in (1...steps).reversed().enumerated() {
      let step = grid.transition(from: level)
      let eps = try await model.guided(
        x, timestep: step.timestep, (target, guidance), semantics, concepts, at: i, &momentum)
      x = try step.mean(x, eps, eta: 0).checked(name, step: i + 1)
      observer("traj", x)
    }
    observer("out", x)
    return x
  }
}

extension EditMethod {
  /// SEGA (`sega`).
  ///
  /// What is nil is the model's default or the paper's.
  public static func sega(
    steps: Int? = nil, guidance: Double? = nil, momentumScale: Double? = nil, momentumBeta: Double? = nil,
    conceptScale: Double? = nil, conceptWarmup: Int? = nil, conceptCooldown: Int? = nil,
    conceptThreshold: Double? = nil
  ) -> EditMethod {
    EditMethod(
      SEGA.self, Given(\.steps, steps), Given(\.guidance, guidance),
      Given(\.semantics.momentumScale, momentumScale), Given(\.semantics.momentumBeta, momentumBeta),
      Given(\.concept.scale, conceptScale), Given(\.concept.warmup, conceptWarmup),
      Given(\.concept.cooldown, conceptCooldown), Given(\.concept.threshold, conceptThreshold))
  }
}
