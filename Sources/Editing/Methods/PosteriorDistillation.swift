import Tensors

/// Posterior distillation sampling: where the delta denoising score matches the two branches' noise predictions, this
/// matches the noise of one posterior step, which keeps the photo's identity better (Koo, Park & Sung 2024).
///
///     m(y) = √ᾱ_p·β/(1−ᾱ_t)·x̂₀ + √(1−β)·(1−ᾱ_p)/(1−ᾱ_t)·x,   x = a_t·y + s_t·n        (posterior mean)
///     ẑ(y) = (√ᾱ_p·y − m(y))/σ,   σ² = (1−ᾱ_p)/(1−ᾱ_t)·β                                (stochastic latent)
///     g = ẑ(z; target) − ẑ(z_ref; source) = ψ_t·(z − z_ref) + χ_t·(ε̃(x; target) − ε̃(x_ref; source))
///
/// that is, the delta denoising score with a pull back to the photo. ψ would vanish if p were t − 1: it is there since
/// β is one training step's and p lies two before t, so the grid of 500 is a part of the definition. The authors hand g
/// to an optimiser of a scene; here it moves a latent as in dds. Draws: 2k the place on the grid, 2k + 1 the noise of
/// iteration k.
public struct PosteriorDistillation: ScoreDescent {
  public var iterations = 200
  public var guidance = 100.0
  public var learningRate = 0.1
  public var lossScale: Double?
  /// Levels of the grid.
  public var levels = 500
  /// The part of the grid that is drawn from.
  public var firstPart = 0.02
  public var lastPart = 0.98

  public init() {}

  public static let about = MethodSummary(
    name: "pds", summary: "Moves the photo's latent as dds does, with a pull back to the photo.",
    paper: "Koo, Park & Sung 2024, Posterior Distillation Sampling",
    goals: [.colour, .object], needs: [.image, .sourcePrompt, .targetPrompt], accepts: [.mask],
    needsWords: true,
    evaluations: "4·iterations = 800")

  public static let parameters: [Parameter<PosteriorDistillation>] =
    descentParameters + [
      Parameter("grid-steps", \.levels, .within(2...999), "levels of the grid that timesteps are drawn from")
        .fixed.inCases("grid_steps"),
      Parameter("min-ratio", \.firstPart, .unit, "clean part of the grid that is not drawn from")
        .inCases("min_ratio"),
      Parameter("max-ratio", \.lastPart, .unit, "part of the grid above which nothing is drawn")
        .inCases("max_ratio"),
    ]
  public static var caseKinds: [String: Self] { ["pds": Self()] }

  public func evaluations(_ outline: EditOutline) -> Int { 2 * iterations * Guidance(guidance).evaluations }
  /// Both prompts' guided predictions.
  public func evaluationsAtOnce(_ outline: EditOutline) -> Int { 2 * Guidance(guidance).evaluations }
  /// The photo's latent, which the reference branch reads.
  public func storageBytes(_ outline: EditOutline, height: Int, width: Int, channels: Int) -> Int {
    bytes(1, height, width, channels)
  }

  public func validate(_ outline: EditOutline, on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters(outline)
    _ = try grid(on: schedule)
    guard firstPart < lastPart else {
      throw .parameter(
        method: name, name: "max-ratio", value: "\(lastPart)", allowed: "more than min-ratio \(firstPart)")
    }
  }

  private func grid(on schedule: NoiseSchedule) throws(EditError) -> SamplingGrid {
    try schedule.samplingGrid(steps: levels, spacing: .leading)
  }

  /// Places on the grid; each has one before it.
  public var draws: ClosedRange<Int> {
    let first = max(1, Int(Double(levels) * firstPart))
    return first...max(first, Int(Double(levels) * lastPart) - 1)
  }

  public func gradient(
    of z: Latent, toward target: Condition, relativeTo reference: (latent: Latent, prompt: Condition)?,
    draw: Int, noise: Latent, on model: Diffusion
  ) async throws -> Latent {
    guard let photo = reference?.latent else {
      throw EditError.missing(method: name, need: "a source prompt")
    }
    let (timesteps, schedule) = (try grid(on: model.schedule).timesteps, model.schedule)
    let (t, p) = (timesteps[draw], timesteps[draw - 1])
    let delta = try await model.scoreDistillation(
      of: z, toward: target, relativeTo: reference, timestep: t, noise: noise, guidance: guidance)
    let k = schedule.posteriorFactors(t, before: p)
    return .combination([(k.pull, z - photo), (k.score, delta)])
  }

  /// With a mask, what lies outside it comes back bit for bit.
  ///
  /// - Throws: `EditError.diverged` beyond |z| = 10⁴.
  public func run(_ inputs: EditInputs, in context: EditContext) async throws -> Latent {
    try await descend(inputs, relativeTo: try inputs.reference(for: name), in: context)
  }
}

extension NoiseSchedule {
  /// ψ and χ of the posterior step from t to p:
  ///
  ///     ψ = [√ᾱ_p − √ᾱ_p·β/(1−ᾱ_t) − √(1−β)·(1−ᾱ_p)·a_t/(1−ᾱ_t)]/σ,   χ = √ᾱ_p·β/((1−ᾱ_t)·σ)·s_t/a_t
  package func posteriorFactors(_ t: Int, before p: Int) -> (pull: Double, score: Double) {
    let (b, c, beta) = (alphaBar(t), alphaBar(p), beta(t))
    let sigma = ((1 - c) / (1 - b) * beta).squareRoot()
    let (kDenoised, kNoisy) = (c.squareRoot() * beta / (1 - b), (1 - beta).squareRoot() * (1 - c) / (1 - b))
    return (
      (c.squareRoot() - kDenoised - kNoisy * b.squareRoot()) / sigma,
      kDenoised * ((1 - b) / b).squareRoot() / sigma
    )
  }
}

extension EditMethod {
  /// Posterior distillation sampling (`pds`).
  ///
  /// What is nil is the model's default or the paper's.
  public static func posteriorDistillation(
    steps: Int? = nil, guidance: Double? = nil, learningRate: Double? = nil, lossScale: Double? = nil
  ) -> EditMethod {
    descent(
      PosteriorDistillation.self, steps: steps, guidance: guidance, learningRate: learningRate,
      lossScale: lossScale)
  }
}
