import Tensors

/// Cycle-SDE: noise the photo along the forward SDE, record which noise would lead back, and follow it with
/// the target prompt (Nie et al. 2024, the SDE counterpart of DDIM inversion).
///
///     y_0 = x₀;   y_{k+1} = √(ᾱ_{k+1}/ᾱ_k)·y_k + √(1 − ᾱ_{k+1}/ᾱ_k)·n_k
///     x_{k−1} = y_{k−1} + μ₁(x_k, ε̃(x_k; target)) − μ₁(y_k, ε̃(y_k; source)),   x_K = y_K
///
/// The clean latent is the state at the first timestep (`StateGrid`). Draws: n_0 … n_{K−1}.
public struct CycleSDE: InvertingMethod {
  public var steps = 100
  public var strength = 1.0
  public var sourceGuidance = 1.0
  public var targetGuidance = 1.0

  public init() {}

  public static let about = MethodSummary(
    name: "cycle-sde",
    summary: "Records the noise that leads a noised photo back and follows it to the target.",
    paper:
      "Nie et al. 2024, The Blessing of Randomness: SDE Beats ODE in General Diffusion-based Image Editing",
    goals: [.object], needs: [.image, .sourcePrompt, .targetPrompt], samplers: [.sde],
    evaluations:
      "K·(1 or 2, + 1 or 2), K = ⌊strength·steps⌋ but at most steps − 1: 198, 99 with a saved inversion")

  public static let parameters: [Parameter<CycleSDE>] = [
    Parameter("steps", \.steps, .within(2...1000), "states of the whole schedule").inCases("steps")
      .shapesInversion(),
    Parameter("strength", \.strength, .fraction, "part of the schedule that is run (t0)").inCases("t0"),
    Parameter("source-cfg-scale", \.sourceGuidance, .any, "weight of the source prompt")
      .reported(as: "source-guidance").inCases("w_src").shapesInversion(),
    Parameter("cfg-scale", \.targetGuidance, .any, "weight of the target prompt").reported(as: "guidance")
      .inCases("w_tgt"),
  ]
  public static var caseKinds: [String: Self] { ["cycle_sde": Self()] }

  /// K.
  var transitionCount: Int { min(transitions(strength, of: steps), steps - 1) }
  public func evaluations(_ outline: EditOutline) -> Int {
    let source = outline.inversion == .given ? 0 : Guidance(sourceGuidance).evaluations
    return transitionCount * (source + Guidance(targetGuidance).evaluations)
  }
  /// Those along the photo's path and those of the edit.
  public func evaluationsAtOnce(_ outline: EditOutline) -> Int {
    let source = outline.inversion == .given ? 0 : Guidance(sourceGuidance).evaluations
    return source + Guidance(targetGuidance).evaluations
  }
  /// The forward path, with the predictions along it if they are kept.
  public func storageBytes(_ outline: EditOutline, height: Int, width: Int, channels: Int) -> Int {
    switch outline.inversion {
    case .discarded: bytes(transitionCount + 1, height, width, channels)
    case .kept: bytes(2 * transitionCount + 1, height, width, channels)
    case .given: 0
    }
  }

  public func validate(_ outline: EditOutline, on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters(outline)
    _ = try schedule.stateGrid(steps: steps)
    try requireTransition(strength, of: steps)
  }

  public func run(_ inputs: EditInputs, in context: EditContext) async throws -> Latent {
    try checkParameters(inputs.outline)
    let (prompt, target) = (try inputs.reference(for: name), try inputs.target(for: name))
    let path =
      if let given = inputs.inversion { given } else {
        newInversion(inputs.outline, states: try forward(inputs.photo(for: name), in: context))
      }
    try check(path)
    return try await edit(along: path, from: prompt, to: target, keeping: nil, method: name, in: context)
  }

  /// y_0 … y_K; the predictions along it come while it is followed.
  func forward(_ source: Latent, in context: EditContext) throws -> [Int: Latent] {
    let grid = try context.diffusion.schedule.stateGrid(steps: steps)
    let path = try grid.forward(source, levels: transitionCount, tape: context.tape)
    for y in path { context.observer("forward", y) }
    return path.byLevel
  }

  /// With a mask, every state outside it is the photo's own (DiffEdit-SDE).
  func edit(
    along path: Inversion, from prompt: Condition, to target: Condition, keeping mask: Mask?, method: String,
    in context: EditContext
  ) async throws -> Latent {
    let grid = try context.diffusion.schedule.stateGrid(steps: steps)
    return try await context.diffusion.follow(
      path, from: (prompt, Guidance(sourceGuidance)), to: (target, Guidance(targetGuidance)),
      levels: transitionCount, eta: 1, keeping: mask, method: method, observer: context.observer,
      step: grid.transition)
  }
}

extension StateGrid {
  /// The forward Markov chain from the clean state: levels 0…`levels`, draw `firstDraw + k` leading to k + 1.
  func forward(_ source: Latent, levels: Int, tape: any NoiseTape, firstDraw: Int = 0) throws -> [Latent] {
    var path = [source]
    for k in 0..<levels {
      path.append(transition(from: k + 1).diffuse(path[k], try tape.normal(firstDraw + k, like: source)))
    }
    return path
  }
}

extension EditMethod {
  /// Cycle-SDE (`cycle-sde`).
  ///
  /// What is nil is the model's default or the paper's.
  public static func cycleSDE(
    steps: Int? = nil, strength: Double? = nil, sourceGuidance: Double? = nil, guidance: Double? = nil
  ) -> EditMethod {
    EditMethod(
      CycleSDE.self, Given(\.steps, steps), Given(\.strength, strength),
      Given(\.sourceGuidance, sourceGuidance), Given(\.targetGuidance, guidance))
  }
}
