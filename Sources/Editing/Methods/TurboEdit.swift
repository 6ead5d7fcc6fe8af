import Tensors

/// TurboEdit: edit-friendly inversion on models that were distilled to a few steps (Deutch, Gal, Garibi, Patashnik &
/// Cohen-Or 2024).
///
///     x_i = a_u·x₀ + s_u·n_i,  u below the τ that the network is told (`ShiftedGrid`);   x_N = x₀
///     δ_i = x_{i+1} − μ(x_i, ε(x_i, τ_i; source));   k = min(1, c/‖δ‖) in the last step, else 1
///     x̂_{i+1} = μ_s + k·δ_i + w·(μ_t − μ_s),   μ_s, μ_t at x̂_i with the source and the target prompt;   x̂_0 = x_0
///
/// The paper's pseudo-guidance w is classifier-free guidance with the source prompt in the place of the empty one, since
/// μ is linear in ε. The photo's path and the edit advance together, so that a step is one pass over the weights.
/// Draws: n_i where the photo is noised at all, the noisiest first.
public struct TurboEdit: InvertingMethod {
  public var steps = 4
  /// w.
  public var guidance = 1.5
  /// c, the largest norm of the last residual; nil: 15.5·√(h·w/4096), the released code's for 64×64 cells.
  public var maxNorm: Double?

  public init() {}

  public static let about = MethodSummary(
    name: "turbo-edit",
    summary: "Edit-friendly inversion in a handful of steps, for models distilled to few.",
    paper: "Deutch et al. 2024, TurboEdit: Text-Based Image Editing Using Few-Step Diffusion Models",
    goals: [.colour, .object, .fast], needs: [.image, .sourcePrompt, .targetPrompt], needsWords: true,
    evaluations: "3·steps − 1 = 11, 2·steps = 8 with a saved inversion")

  public static let parameters: [Parameter<TurboEdit>] = [
    Parameter("steps", \.steps, .within(2...999), "network steps").inCases("steps").shapesInversion(),
    Parameter("cfg-scale", \.guidance, .any, "strength of the edit, 1 to 3 is usual; 0 returns the photo")
      .reported(as: "guidance").inCases("w"),
    Parameter(
      "max-norm", \.maxNorm, orDerived: "15.5·√(h·w/4096)", .positive,
      "largest norm of the last residual, by which noise would come back; 1e9 limits nothing: exact"
    )
    .inCases("max_norm") { (method, value) throws(CaseFault) in
      switch value("max_norm") {
      case .number(let norm)?: method.maxNorm = norm
      case nil: method.maxNorm = .greatestFiniteMagnitude
      default: throw CaseFault(key: "max_norm", expected: "a number")
      }
    },
  ]
  public static var caseKinds: [String: Self] { ["turbo_edit": Self()] }

  /// Its weight is no guidance, which a distilled model would go without. On others four steps change little but
  /// colours.
  public static func defaults(of kind: ModelKind, beside given: MethodSettings) -> MethodSettings {
    kind.takesFewSteps ? [:] : ["steps": .number(8)]
  }

  /// In the first step the edit is where the photo's path is: where the source prompt is asked for, once is enough.
  public func evaluations(_ outline: EditOutline) -> Int {
    let edit = steps * Guidance(guidance).evaluations
    return outline.inversion == .given ? edit : edit + steps - (guidance == 1 ? 0 : 1)
  }
  public func evaluationsAtOnce(_ outline: EditOutline) -> Int {
    Guidance(guidance).evaluations + (outline.inversion == .given ? 0 : 1)
  }
  /// The photo's start and its state, and the residuals where they are kept.
  public func storageBytes(_ outline: EditOutline, height: Int, width: Int, channels: Int) -> Int {
    switch outline.inversion {
    case .discarded: bytes(2, height, width, channels)
    case .kept: bytes(steps + 3, height, width, channels)
    case .given: 0
    }
  }

  public func validate(_ outline: EditOutline, on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters(outline)
    _ = try schedule.shiftedGrid(steps: steps)
  }

  public func run(_ inputs: EditInputs, in context: EditContext) async throws -> Latent {
    try validate(inputs.outline, on: context.diffusion.schedule)
    let (model, tape, observer) = (context.diffusion, context.tape, context.observer)
    if !inputs.outline.kind.takesFewSteps {
      observer.warn("The model does not look distilled to few steps, for which \(name) is made.")
    }
    let (source, target) = (try inputs.reference(for: name), try inputs.target(for: name))
    let (grid, guidance) = (try model.schedule.shiftedGrid(steps: steps), Guidance(guidance))
    func noised(_ level: Int) throws -> Latent {
      let photo = try inputs.photo(for: name)
      let i = steps - level
      guard level > 0, grid.noiseTimesteps[i] > 0 else { return photo }
      return model.schedule.diffuse(photo, to: grid.noiseTimesteps[i], try tape.normal(i, like: photo))
    }

    let isGiven = inputs.inversion != nil
    var inversion =
      try inputs.inversion
      ?? newInversion(inputs.outline, states: [0: inputs.photo(for: name), steps: noised(steps)])
    try check(inversion)
    // x̂ and the photo's own state.
    var x = try inversion.state(steps)
    var y = x
    observer("xs", y)
    for level in stride(from: steps, through: 1, by: -1) {
      let step = EditFriendlyStep(grid.transition(from: level), eta: 1)
      var queries = guidance.queries(x, timestep: step.timestep, target, over: source)
      // At the start both are in one place, and the source prompt's answer serves both.
      let isShared = level == steps && guidance.scale != 1
      if !isGiven, !isShared { queries.append(NoiseQuery(y, timestep: step.timestep, source)) }
      let answers = try await model.unet.noise(queries)
      let residual: Latent
      if isGiven {
        residual = try inversion.residual(level)
      } else {
        let (own, below) = (isShared ? answers[0] : answers.last!, try noised(level - 1))
        residual = step.residual(leadingTo: below, from: y, own)
        // Computed again from δ, so that the edit with the source prompt is at the same place bit for bit.
        y = step(y, own, residual)
        if observer.keepsInversion { inversion.residuals[level] = residual }
        observer("xs", below)
      }
      let k = level == 1 ? min(1, largestNorm(of: x) / residual.norm) : 1
      observer("residuals", residual)
      observer.tensor("clip", HostTensor(shape: [1], values: [Float(k)]))
      let eps = guidance.combine(answers.prefix(guidance.evaluations))
      x = try step(x, eps, residual, times: k).checked(name, step: steps - level + 1)
      observer("traj", x)
    }
    if !isGiven { observer.inverted(inversion) }
    observer("out", x)
    return x
  }

  /// c for a latent of this size.
  private func largestNorm(of latent: Latent) -> Double {
    maxNorm ?? 15.5 * (Double(latent.height * latent.width) / 4096).squareRoot()
  }
}

extension Latent {
  /// ‖x‖₂ over the whole latent.
  fileprivate var norm: Double { values.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot() }
}

extension EditMethod {
  /// TurboEdit (`turbo-edit`).
  ///
  /// What is nil is the model's default or the paper's.
  public static func turboEdit(
    steps: Int? = nil, guidance: Double? = nil, maxNorm: Double? = nil
  ) -> EditMethod {
    EditMethod(
      TurboEdit.self, Given(\.steps, steps), Given(\.guidance, guidance), Given(\.maxNorm, maxNorm))
  }
}
