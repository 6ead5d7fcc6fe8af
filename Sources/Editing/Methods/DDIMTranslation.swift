import Tensors

/// DDIM inversion with the source prompt, then sampling with the target prompt: the ODE baseline of
/// image-to-image translation (Song et al. 2021, section 4.3; Nie et al. 2024).
///
/// Draws: none.
public struct DDIMTranslation: InvertingMethod {
  public var steps = 50
  public var strength = 1.0
  public var sourceGuidance = 1.0
  public var targetGuidance = 7.5

  public init() {}

  public static let about = MethodSummary(
    name: "ddim-inversion",
    summary: "Runs the sampler backwards with the source prompt, forwards with the target.",
    paper: "Song, Meng & Ermon 2021, Denoising Diffusion Implicit Models",
    goals: [.object], needs: [.image, .sourcePrompt, .targetPrompt], samplers: [.ode],
    evaluations: "(1 or 2)·⌊strength·steps⌋ + 2·⌊strength·steps⌋ = 150, 100 with a saved inversion")

  public static let parameters: [Parameter<DDIMTranslation>] = [
    Parameter("steps", \.steps, .steps, "network steps of the whole schedule").inCases("steps")
      .shapesInversion(),
    Parameter("strength", \.strength, .fraction, "part of the schedule that is run (t0)").inCases("t0"),
    Parameter("source-cfg-scale", \.sourceGuidance, .any, "weight of the source prompt in the inversion")
      .reported(as: "source-guidance").inCases("w_src").shapesInversion(),
    Parameter("cfg-scale", \.targetGuidance, .any, "weight of the target prompt").reported(as: "guidance")
      .inCases("w_tgt"),
  ]
  public static var caseKinds: [String: Self] { ["ddim_translate": Self()] }

  /// K.
  private var levels: Int { transitions(strength, of: steps) }
  public func evaluations(_ outline: EditOutline) -> Int {
    let source = outline.inversion == .given ? 0 : Guidance(sourceGuidance).evaluations
    return levels * (source + Guidance(targetGuidance).evaluations)
  }
  /// The inverted path.
  public func storageBytes(_ outline: EditOutline, height: Int, width: Int, channels: Int) -> Int {
    outline.inversion == .given ? 0 : bytes(levels + 1, height, width, channels)
  }

  public func validate(_ outline: EditOutline, on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters(outline)
    _ = try schedule.samplingGrid(steps: steps)
    try requireTransition(strength, of: steps)
  }

  public func run(_ inputs: EditInputs, in context: EditContext) async throws -> Latent {
    try checkParameters(inputs.outline)
    let (model, observer) = (context.diffusion, context.observer)
    let target = try inputs.target(for: name)
    let grid = try model.schedule.samplingGrid(steps: steps)
    let inversion =
      if let given = inputs.inversion { given } else {
        try await ddimInversion(
          inputs, guidance: Guidance(sourceGuidance), levels: levels, on: grid, in: context)
      }
    try check(inversion)
    var x = try inversion.state(levels)
    for (i, level) in stride(from: levels, through: 1, by: -1).enumerated() {
      let step = grid.transition(from: level)
      let eps = try await model.guided(x, timestep: step.timestep, target, Guidance(targetGuidance))
      x = try step.mean(x, eps, eta: 0).checked(name, step: i + 1)
      observer("traj", x)
    }
    observer("out", x)
    return x
  }
}

extension EditMethod {
  /// DDIM inversion (`ddim-inversion`).
  ///
  /// What is nil is the model's default or the paper's.
  public static func ddimInversion(
    steps: Int? = nil, strength: Double? = nil, sourceGuidance: Double? = nil, guidance: Double? = nil
  ) -> EditMethod {
    EditMethod(
      DDIMTranslation.self, Given(\.steps, steps), Given(\.strength, strength),
      Given(\.sourceGuidance, sourceGuidance), Given(\.targetGuidance, guidance))
  }
}
