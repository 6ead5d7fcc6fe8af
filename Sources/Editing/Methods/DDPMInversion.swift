import Tensors

/// Edit-friendly DDPM inversion: find the noise maps with which DDPM sampling retraces the photo, then
/// sample again with them towards another prompt (Huberman-Spiegelglas, Kulikov & Michaeli 2024).
///
///     x_ℓ = a·x₀ + s·n_ℓ                                   independent noise per level (algorithm 1)
///     z_ℓ = (x_{ℓ−1} − μ(x_ℓ, ε(x_ℓ; source)))/(η·√V),     ℓ = N … 1
///     edit: x_{ℓ−1} = μ(x_ℓ, ε̃(x_ℓ; target)) + η·√V·z_ℓ,   ℓ = N − skip … 1
///
/// Draws: n_1 … n_N, draw ℓ − 1 for level ℓ.
public struct DDPMInversion: InvertingMethod {
  public var steps = 100
  /// Levels at the noisy end that the edit leaves out; more stays closer to the photo.
  public var skip = 36
  public var sourceGuidance = 3.5
  public var targetGuidance = 15.0
  public var eta = 1.0
  /// Keep z_1, so that the source prompt returns the photo exactly. The released code sets it to 0.
  public var keepsLastNoise = false

  public init() {}

  public static let about = MethodSummary(
    name: "ddpm-inversion",
    summary: "Finds the noise with which sampling retraces the photo, then samples with it to the target.",
    paper: "Huberman-Spiegelglas et al. 2024, An Edit Friendly DDPM Noise Space",
    needs: [.image, .targetPrompt], accepts: [.sourcePrompt],
    evaluations:
      "(1 or 2)·(steps − skip) + 2·(steps − skip) = 192 or 256; (1 or 2)·steps + 2·(steps − skip) = 228 or 328 to "
      + "save the inversion, 2·(steps − skip) = 128 with a saved one")

  public var parameters: [Parameter] {
    [
      Parameter("steps", steps, .steps, "levels of the inversion"),
      Parameter("skip", skip, .atLeast(0), "noisiest levels left out; more stays closer to the photo"),
      Parameter("source-guidance", sourceGuidance, .any, "weight of the source prompt in the inversion"),
      Parameter("guidance", targetGuidance, .any, "weight of the target prompt; 7 to 18 is usual"),
      Parameter("eta", eta, .fraction, "noise of a step, 1 is DDPM"),
      Parameter("keep-last-noise", keepsLastNoise, "keep the noise of the last step: exact reconstruction"),
    ]
  }

  /// Levels that an edit runs through, N − skip.
  public var editedLevels: Int { steps - skip }
  /// Evaluations of inverting the lowest `levels`.
  public func inversionEvaluations(levels: Int, hasSourcePrompt: Bool) -> Int {
    levels * (hasSourcePrompt ? Guidance(sourceGuidance).evaluations : 1)
  }
  /// Evaluations of an edit.
  public func evaluations(hasSourcePrompt: Bool, inversion: InversionUse = .discarded) -> Int {
    inversionEvaluations(levels: invertedLevels(inversion), hasSourcePrompt: hasSourcePrompt)
      + editedLevels * Guidance(targetGuidance).evaluations
  }
  /// An edit needs the lowest levels only. One that is kept has all of them, for edits with another `skip`.
  func invertedLevels(_ use: InversionUse) -> Int {
    switch use {
    case .discarded: editedLevels
    case .kept: steps
    case .given: 0
    }
  }

  public var inversionParameters: Set<String> { ["steps", "source-guidance", "eta", "keep-last-noise"] }
  public func storageBytes(height: Int, width: Int, channels: Int, inversion: InversionUse) -> Int {
    switch inversion {
    case .discarded: bytes(editedLevels + 1, height, width, channels)
    case .kept: bytes(2 * steps + 1, height, width, channels)
    case .given: 0
    }
  }
  /// The command line gives `skip` as a fraction of the steps.
  public static func skippedLevels(_ fraction: Double, of steps: Int) -> Int {
    transitions(fraction, of: steps)
  }

  public func validate(on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters()
    try checkLevels(on: schedule, method: name)
  }

  func checkLevels(on schedule: NoiseSchedule, method: String) throws(EditError) {
    _ = try schedule.samplingGrid(steps: steps)
    guard skip < steps else {
      throw .nothingToDo(method: method, reason: "all \(steps) steps are skipped, lower skip below \(steps)")
    }
  }
}

extension DDPMInversion {
  /// Inverts `source`.
  ///
  /// An edit needs levels N − skip … 1 only, since the noise of a level does not depend on those above it.
  /// - Parameters:
  ///   - source: the photo's latent (posterior mean).
  ///   - prompt: what the photo shows; nil for the empty prompt, which halves the evaluations.
  ///   - keepsEveryLevel: invert all N levels and keep every state, to edit with any `skip` later.
  public func invert(
    _ source: Latent, from prompt: Condition?, keepsEveryLevel: Bool, model: Diffusion<some NoisePredictor>,
    tape: any NoiseTape, observer: EditObserver = .none
  ) async throws -> Inversion {
    try validate(on: model.schedule)
    let grid = try model.schedule.samplingGrid(steps: steps)
    let top = keepsEveryLevel ? steps : editedLevels
    func noised(_ level: Int) throws -> Latent {
      level == 0
        ? source
        : model.schedule.diffuse(source, to: grid.timestep(level), try tape.normal(level - 1, like: source))
    }

    var x = try noised(top)
    var inversion = newInversion(states: [top: x], without: prompt == nil ? ["source-guidance"] : [])
    for (i, level) in (1...top).reversed().enumerated() {
      let step = EditFriendlyStep(grid.transition(from: level), eta: eta)
      let eps =
        if let prompt {
          try await model.guided(x, timestep: step.timestep, prompt, Guidance(sourceGuidance))
        } else {
          try await model.unguided(x, timestep: step.timestep)
        }
      let below = try noised(level - 1)
      let z = step.noise(leadingTo: below, from: x, eps)
      // Computed again from z, so that rounding does not add up over the levels; but not where this edit starts,
      // so that it has the same bits whether or not the levels above are inverted.
      let isStart = level - 1 == editedLevels
      x = try (step.sigma > 0 && !isStart ? step(x, eps, z) : below).checked(name, step: i + 1)
      inversion.noiseMaps[level] = z
      if keepsEveryLevel { inversion.states[level - 1] = x }
    }

    let lastNoise = inversion.noiseMaps[1]!
    if !keepsLastNoise {
      inversion.noiseMaps[1] = Latent(like: source, values: source.values.map { _ in 0 })
    }
    if observer.isTracing {
      for level in 1...top { observer("zs", inversion.noiseMaps[level]!) }
      for level in inversion.states.keys.sorted() { observer("xs", inversion.states[level]!) }
      observer("z1_before_zeroing", lastNoise)
    }
    observer.inverted(inversion)
    return inversion
  }

  /// Samples with the photo's noise maps towards `target`.
  public func edit(
    _ inversion: Inversion, to target: Condition, model: Diffusion<some NoisePredictor>,
    observer: EditObserver = .none
  ) async throws -> Latent {
    try validate(on: model.schedule)
    try check(inversion)
    let grid = try model.schedule.samplingGrid(steps: steps)
    var x = try inversion.state(editedLevels)
    for (i, level) in (1...editedLevels).reversed().enumerated() {
      let step = EditFriendlyStep(grid.transition(from: level), eta: eta)
      let eps = try await model.guided(x, timestep: step.timestep, target, Guidance(targetGuidance))
      x = try step(x, eps, inversion.noiseMap(level)).checked(name, step: i + 1)
      observer("traj", x)
    }
    observer("out", x)
    return x
  }

  /// Inverts `source` as far as this edit needs (fully when traced or kept) and edits it.
  /// - Parameter inversion: to be used instead of inverting again.
  public func edit(
    _ source: Latent, from prompt: Condition?, to target: Condition, given inversion: Inversion? = nil,
    model: Diffusion<some NoisePredictor>, tape: any NoiseTape, observer: EditObserver = .none
  ) async throws -> Latent {
    let inversion =
      if let inversion { inversion } else {
        try await invert(
          source, from: prompt, keepsEveryLevel: observer.isTracing || observer.keepsInversion, model: model,
          tape: tape, observer: observer)
      }
    return try await edit(inversion, to: target, model: model, observer: observer)
  }
}

/// The DDPM step of the edit-friendly family. Its direction term takes η·V where DDIM takes η²·V, as the
/// released code does; for η = 1 they agree.
struct EditFriendlyStep {
  let timestep: Int
  /// η·√V.
  let sigma: Double
  private let x: Double
  private let eps: Double

  init(_ step: Transition, eta: Double) {
    timestep = step.timestep
    sigma = step.sigma(eta: eta)
    (x, eps) = step.coefficients(variance: eta * step.posteriorVariance)
  }

  /// μ(x, ε) + η·√V·z.
  func callAsFunction(_ x: Latent, _ eps: Latent, _ z: Latent) -> Latent {
    .combination([(self.x, x), (self.eps, eps), (sigma, z)])
  }

  /// The z that leads from x to `next`; 0 where no noise could.
  func noise(leadingTo next: Latent, from x: Latent, _ eps: Latent) -> Latent {
    guard sigma > 0 else { return Latent(like: x, values: x.values.map { _ in 0 }) }
    return .combination([(1 / sigma, next), (-self.x / sigma, x), (-self.eps / sigma, eps)])
  }
}
