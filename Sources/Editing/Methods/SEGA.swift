import Tensors

/// SEGA: text-to-image steered by concepts (Brack et al. 2023, Semantic Guidance). With a photo it becomes
/// the first workflow of LEDITS.
///
///     x_N = n;   x_{ℓ−1} = μ₀(x_ℓ, ε),   ε from `SemanticGuidance`
///
/// Draws: the start.
public struct SEGA: EditingMethod {
  public var steps = 50
  public var guidance = 7.5
  public var semantics = SemanticGuidance(momentumScale: 0.1, momentumBeta: 0.4)

  public init() {}

  public static let about = MethodSummary(
    name: "sega", summary: "A picture from a text, steered by concepts to add or remove.",
    paper: "Brack et al. 2023, SEGA: Instructing Text-to-Image Models using Semantic Guidance",
    needs: [.targetPrompt, .concepts], evaluations: "steps·(2 + concepts) = 150 for one concept")

  public var parameters: [Parameter] {
    [
      Parameter("steps", steps, .steps, "network steps"),
      Parameter("guidance", guidance, .any, "weight of the prompt"),
    ] + semantics.parameters(standard: .sega)
  }

  public var evaluations: Int { semantics.evaluations(steps: steps, promptScale: guidance) }
  /// The momentum, kept in Double.
  public func storageBytes(height: Int, width: Int, channels: Int = 4) -> Int {
    bytes(2, height, width, channels)
  }

  public func validate(on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters()
    _ = try schedule.samplingGrid(steps: steps)
    if semantics.concepts.isEmpty { throw .missing(method: name, need: "a concept") }
  }

  /// - Parameter concepts: the texts of `semantics.concepts`, in that order.
  public func generate(
    _ target: Condition, concepts: [Condition], height: Int, width: Int, channels: Int = 4,
    model: Diffusion<some NoisePredictor>, tape: any NoiseTape, observer: EditObserver = .none
  ) async throws -> Latent {
    try checkParameters()
    try semantics.concepts.check(against: concepts.count, method: name)
    let grid = try model.schedule.samplingGrid(steps: steps)
    var momentum = SemanticGuidance.Momentum()
    var x = try tape.normal(0, count: 1, height: height, width: width, channels: channels)[0]
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
