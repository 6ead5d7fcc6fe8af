import Tensors

/// LEDITS: edit-friendly DDPM inversion combined with semantic guidance (Tsaban & Passos 2023).
///
/// Workflow 1, pure inversion: no target prompt, concepts alone edit.
/// Workflow 2, joint: a target prompt and concepts.
///
///     x_{ℓ−1} = μ(x_ℓ, ε) + η·√V·z_ℓ,   ε from `SemanticGuidance`,   ℓ = N − skip … 1
///
/// Draws: those of the inversion.
public struct LEDITS: InvertingMethod {
  /// N, skip, guidance and η, shared with the plain edit.
  public var inversion = DDPMInversion()
  public var semantics = SemanticGuidance(momentumScale: 0.3, momentumBeta: 0.6)

  public init() {}

  public static let about = MethodSummary(
    name: "ledits", summary: "Retraces the photo's noise while concepts, and a target prompt if given, edit.",
    paper: "Tsaban & Passos 2023, LEDITS: Real Image Editing with DDPM Inversion and Semantic Guidance",
    needs: [.image, .concepts], accepts: [.sourcePrompt, .targetPrompt],
    evaluations: "(1 or 2)·(steps − skip) + (steps − skip)·(1 or 2, + concepts) = 192 for one concept alone; "
      + "(1 or 2)·steps for the first part to save the inversion, nothing with a saved one")

  public var parameters: [Parameter] { inversion.parameters + semantics.parameters(standard: .ledits) }

  /// Evaluations of an edit.
  public func evaluations(
    hasSourcePrompt: Bool, hasTargetPrompt: Bool, inversion use: InversionUse = .discarded
  ) -> Int {
    let levels = inversion.invertedLevels(use)
    return inversion.inversionEvaluations(levels: levels, hasSourcePrompt: hasSourcePrompt)
      + semantics.evaluations(
        steps: inversion.editedLevels, promptScale: hasTargetPrompt ? inversion.targetGuidance : nil)
  }

  public static let inversionFamily = DDPMInversion.name
  public var inversionParameters: Set<String> { inversion.inversionParameters }
  public func storageBytes(height: Int, width: Int, channels: Int, inversion use: InversionUse) -> Int {
    inversion.storageBytes(height: height, width: width, channels: channels, inversion: use)
      + bytes(2, height, width, channels)
  }

  public func validate(on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters()
    try inversion.checkLevels(on: schedule, method: name)
  }

  /// - Parameters:
  ///   - noises: the photo, inverted on the same grid.
  ///   - target: nil for workflow 1.
  ///   - concepts: the texts of `semantics.concepts`, in that order.
  public func edit(
    _ noises: Inversion, to target: Condition?, concepts: [Condition],
    model: Diffusion<some NoisePredictor>, observer: EditObserver = .none
  ) async throws -> Latent {
    try validate(on: model.schedule)
    try semantics.concepts.check(against: concepts.count, method: name)
    try check(noises)
    let grid = try model.schedule.samplingGrid(steps: inversion.steps)
    let prompt = target.map { ($0, inversion.targetGuidance) }
    var momentum = SemanticGuidance.Momentum()
    var x = try noises.state(inversion.editedLevels)
    for (i, level) in (1...inversion.editedLevels).reversed().enumerated() {
      let step = EditFriendlyStep(grid.transition(from: level), eta: inversion.eta)
      let eps = try await model.guided(
        x, timestep: step.timestep, prompt, semantics, concepts, at: i, &momentum)
      x = try step(x, eps, noises.noiseMap(level)).checked(name, step: i + 1)
      observer("traj", x)
    }
    observer("out", x)
    return x
  }

  /// Inverts `source` as far as this edit needs (fully when traced or kept) and edits it.
  /// - Parameters:
  ///   - prompt: what the photo shows; nil, the demo's default, for the empty prompt.
  ///   - noises: an inversion to be used instead of inverting again.
  public func edit(
    _ source: Latent, from prompt: Condition? = nil, to target: Condition?, concepts: [Condition],
    given noises: Inversion? = nil, model: Diffusion<some NoisePredictor>, tape: any NoiseTape,
    observer: EditObserver = .none
  ) async throws -> Latent {
    try semantics.concepts.check(against: concepts.count, method: name)
    let noises =
      if let noises { noises } else {
        try await inversion.invert(
          source, from: prompt, keepsEveryLevel: observer.isTracing || observer.keepsInversion, model: model,
          tape: tape, observer: observer)
      }
    return try await edit(noises, to: target, concepts: concepts, model: model, observer: observer)
  }
}
