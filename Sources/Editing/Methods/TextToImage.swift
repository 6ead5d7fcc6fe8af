import Tensors

/// Text-to-image sampling, by the DDIM ODE or the DDPM SDE (Song et al. 2021; Ho et al. 2020), or by the jumps of a
/// latent consistency model (`consistencySample`).
///
///     x_N = n;   x_{ℓ−1} = μ_η(x_ℓ, ε̃(x_ℓ, t)) + σ·z,   ℓ = N … 1
///
/// Draws: the start; SDE: then one per transition with σ > 0; jumps: then one between two of them.
public struct TextToImage: EditingMethod {
  public var steps = 50
  public var guidance = 7.5
  public var sampler = PictureSampler.ode
  /// Told to the network of a latent consistency model.
  public var embedGuidance: Double?

  public init() {}

  public static let about = MethodSummary(
    name: "generate", summary: "A picture from a text, the base of every edit.",
    paper: "Song, Meng & Ermon 2021, Denoising Diffusion Implicit Models", needs: [.targetPrompt],
    samplers: [.ode, .sde], evaluations: "2·steps = 100")

  public static let parameters: [Parameter<TextToImage>] = [
    Parameter("steps", \.steps, .steps, "network steps").inCases("steps"),
    Parameter("cfg-scale", \.guidance, .any, "weight of the prompt").reported(as: "guidance").inCases("w"),
    Parameter(
      "sampler", \.sampler,
      "deterministic, with noise in every step, or the jumps of a latent consistency model"
    )
    .inCases("sde") { (method, value) throws(CaseFault) in try method.sampler.read(value) },
    .toldGuidance(\.embedGuidance),
  ]
  public static var caseKinds: [String: Self] {
    var jumps = Self()
    jumps.sampler = .lcm
    return ["generate": Self(), "lcm_generate": jumps]
  }

  public static func defaults(of kind: ModelKind, beside given: MethodSettings) -> MethodSettings {
    samplingDefaults(of: kind, beside: given)
  }

  public func evaluations(_ outline: EditOutline) -> Int { steps * Guidance(guidance).evaluations }
  public func storageBytes(_ outline: EditOutline, height: Int, width: Int, channels: Int) -> Int { 0 }

  public func validate(_ outline: EditOutline, on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters(outline)
    if sampler == .lcm {
      _ = try schedule.consistencyGrid(steps: steps)
    } else {
      _ = try schedule.samplingGrid(steps: steps)
    }
  }

  /// - Returns: a latent of the inputs' size.
  public func run(_ inputs: EditInputs, in context: EditContext) async throws -> Latent {
    try validate(inputs.outline, on: context.diffusion.schedule)
    let (model, tape, observer) = (context.diffusion, context.tape, context.observer)
    let target = try inputs.target(for: name)
    var x = try tape.normal(
      0, count: 1, height: inputs.height, width: inputs.width, channels: inputs.channels)[0]
    observer("traj", x)
    if sampler == .lcm {
      x = try await model.consistencySample(
        x, on: model.schedule.consistencyGrid(steps: steps), towards: target, Guidance(guidance),
        telling: embedGuidance, method: name, observer: observer
      ) { [x] in try tape.normal(1 + $0, like: x) }
      observer("out", x)
      return x
    }
    let grid = try model.schedule.samplingGrid(steps: steps)
    for (i, level) in (1...steps).reversed().enumerated() {
      let step = grid.transition(from: level)
      let eps = try await model.guided(
        x, timestep: step.timestep, target, Guidance(guidance), telling: embedGuidance)
      x = try step.step(x, eps, eta: sampler.eta, noise: tape.normal(1 + i, like: x)).checked(
        name, step: i + 1)
      observer("traj", x)
    }
    observer("out", x)
    return x
  }
}

extension EditMethod {
  /// Text-to-image (`generate`).
  ///
  /// What is nil is the model's default or the paper's.
  public static func generate(
    steps: Int? = nil, guidance: Double? = nil, sampler: PictureSampler? = nil, embedGuidance: Double? = nil
  ) -> EditMethod {
    EditMethod(
      TextToImage.self, Given(\.steps, steps), Given(\.guidance, guidance), Given(\.sampler, sampler),
      Given(\.embedGuidance, embedGuidance))
  }
}
