import Tensors

/// Edit-friendly DDPM inversion: find what DDPM sampling has to add to retrace the photo, then sample again
/// with it towards another prompt (Huberman-Spiegelglas, Kulikov & Michaeli 2024).
///
///     x_ℓ = a·x₀ + s·n_ℓ                                   independent noise per level (algorithm 1)
///     δ_ℓ = x_{ℓ−1} − μ(x_ℓ, ε(x_ℓ; source)),              ℓ = N … 1
///     edit: x_{ℓ−1} = μ(x_ℓ, ε̃(x_ℓ; target)) + δ_ℓ,        ℓ = N − skip … 1
///
/// The paper divides δ by η·√V to noise maps z. Where V > 0 that is the same; where it is 0 (grids that end at
/// ᾱ = 1) only δ brings the photo back. The second-order solver takes the steps of `SolverInversion` instead.
///
/// Draws: n_1 … n_N, draw ℓ − 1 for level ℓ.
public struct DDPMInversion: InvertingMethod {
  /// How a step is taken.
  public enum Solver: String, Sendable, Codable, CaseIterable {
    /// Ancestral sampling, as the paper does.
    case ddpm
    /// SDE-DPM-Solver++ of second order (Lu et al. 2022): as good in a fifth of the evaluations.
    case dpm2
  }

  public var solver = Solver.ddpm
  public var steps = 100
  /// Part of the levels, at the noisy end, that the edit leaves out; more stays closer to the photo. Of dpm2: what the
  /// grid has beyond the steps, as a part of these.
  public var skip = 0.36
  public var sourceGuidance = 3.5
  public var targetGuidance = 15.0
  public var eta = 1.0
  /// K: the transitions into the levels K − 1 … 0 go without their residual. 0: the source prompt returns the photo
  /// to rounding, as the paper promises; the released code has 1.
  public var zeroLast = 0

  public init() {}

  public static let about = MethodSummary(
    name: "ddpm-inversion",
    summary: "Finds the noise with which sampling retraces the photo, then samples with it to the target.",
    paper: "Huberman-Spiegelglas et al. 2024, An Edit Friendly DDPM Noise Space",
    goals: [.colour, .object, .style], needs: [.image, .targetPrompt], accepts: [.sourcePrompt],
    evaluations:
      "(1 or 2)·(steps − skip) + 2·(steps − skip) = 192 or 256; (1 or 2)·steps + 2·(steps − skip) = 228 or 328 to "
      + "save the inversion, 2·(steps − skip) = 128 with a saved one; with solver dpm2 (1 or 2)·steps + 2·steps = 45 "
      + "or 60, 2·steps = 30 with a saved one")

  public static let parameters: [Parameter<DDPMInversion>] = [
    Parameter("solver", \.solver, "the paper's steps, or a fifth of them with steps of second order")
      .shapesInversion(),
    Parameter("steps", \.steps, .steps, "levels of the inversion; 100, or 15 with solver dpm2")
      .inCases("steps", "n", isNeeded: true) { (method, value) throws(CaseFault) in
        guard case .number(let number)? = value("steps") ?? value("n"), let steps = Int(exactly: number)
        else {
          throw CaseFault(key: "steps", expected: "a whole number")
        }
        method.steps = steps
      }.shapesInversion().dependent(on: "solver"),
    Parameter(
      "skip", \.skip, .remainder,
      "noisiest part of the steps left out; more stays closer to the photo; 0.36, or 0.5 with solver dpm2"
    )
    .reported { "\($0.skippedLevels)" }
    .inCases("skip", isNeeded: true) { (method, value) throws(CaseFault) in
      guard case .number(let skip)? = value("skip") else {
        throw CaseFault(key: "skip", expected: "a number")
      }
      // Levels of the paper's grid, a part of the solver's steps.
      method.skip = method.solver == .ddpm ? skip / Double(method.steps) : skip
    }.shapesInversion { $0.solver != .ddpm }.dependent(on: "solver"),
    Parameter("source-cfg-scale", \.sourceGuidance, .any, "weight of the source prompt in the inversion")
      .reported(as: "source-guidance").inCases("w_src").shapesInversion().idle { Idle.withoutSource($1) },
    Parameter(
      "cfg-scale", \.targetGuidance, .any,
      "weight of the target prompt; 7 to 18 is usual, 7.5 with solver dpm2"
    )
    .reported(as: "guidance").inCases("w_tgt"),
    Parameter("eta", \.eta, .fraction, "noise of a step, 1 is DDPM").inCases("eta").shapesInversion()
      .idle { method, _ in method.solver == .ddpm ? nil : "with solver \(method.solver.rawValue)" },
    zeroLast(\.zeroLast),
  ]
  public static var caseKinds: [String: Self] {
    var secondOrder = Self()
    secondOrder.solver = .dpm2
    return ["ledits": Self(), "ddpm_dpm2": secondOrder]
  }

  /// What the solver of second order needs instead of the paper's hundred levels: the executed steps begin where those
  /// of 36 skipped ones do.
  public static func defaults(of kind: ModelKind, beside given: MethodSettings) -> MethodSettings {
    var settings = kind.takesFewSteps ? unguided : [:]
    if given["solver"] == .word(Solver.dpm2.rawValue) {
      let own: MethodSettings = ["steps": .number(15), "skip": .number(0.5), "cfg-scale": .number(7.5)]
      settings.merge(own) { settled, _ in settled }
    }
    return settings
  }

  /// The row that both kinds of exact inversion have. Cases of the first edition say whether the last residual is kept,
  /// by default not.
  static func zeroLast<Method>(_ path: WritableKeyPath<Method, Int> & Sendable) -> Parameter<Method> {
    Parameter(
      "zero-last", path, .atLeast(0), "cleanest steps that go without what leads back to the photo; 0: exact"
    ).shorthand(
      "official-last-step", for: .number(1), "the same as --zero-last 1: as the released code, not exact"
    ).inCases("zero_last", "keep_last_noise") { (method, value) throws(CaseFault) in
      switch (value("zero_last"), value("keep_last_noise")) {
      case (.number(let count)?, _):
        guard let count = Int(exactly: count) else {
          throw CaseFault(key: "zero_last", expected: "a whole number")
        }
        method[keyPath: path] = count
      case (nil, .flag(let keeps)?): method[keyPath: path] = keeps ? 0 : 1
      default: method[keyPath: path] = 1
      }
    }
  }

  /// ⌊skip·N⌋, of the N that are asked for or beyond them.
  package var skippedLevels: Int {
    switch solver {
    case .ddpm: transitions(skip, of: steps)
    case .dpm2: SolverInversion.levels(steps: steps, skip: skip) - steps
    }
  }
  /// Levels that an edit runs through, N − skip.
  var editedLevels: Int { solver == .ddpm ? steps - skippedLevels : steps }
  /// Evaluations of inverting the lowest `levels`.
  package func inversionEvaluations(levels: Int, hasSourcePrompt: Bool) -> Int {
    levels * (hasSourcePrompt ? Guidance(sourceGuidance).evaluations : 1)
  }
  /// Evaluations of the inversion that an edit makes.
  func inversionEvaluations(_ outline: EditOutline) -> Int {
    inversionEvaluations(levels: invertedLevels(outline.inversion), hasSourcePrompt: outline.hasSourceText)
  }
  public func evaluations(_ outline: EditOutline) -> Int {
    inversionEvaluations(outline) + editedLevels * Guidance(targetGuidance).evaluations
  }
  /// An edit needs the lowest levels only. One that is kept has all of them, for edits with another `skip`.
  func invertedLevels(_ use: InversionUse) -> Int {
    switch use {
    case .discarded: editedLevels
    case .kept: steps
    case .given: 0
    }
  }

  /// Residuals and the start, where they are kept the states between too. The solver has its last denoised latent
  /// beside, and keeps the two ends of its path.
  public func storageBytes(_ outline: EditOutline, height: Int, width: Int, channels: Int) -> Int {
    switch (solver, outline.inversion) {
    case (.ddpm, .discarded): bytes(editedLevels + 1, height, width, channels)
    case (.ddpm, .kept): bytes(2 * steps + 1, height, width, channels)
    case (.ddpm, .given): 0
    case (.dpm2, .given): bytes(1, height, width, channels)
    case (.dpm2, _): bytes(steps + 3, height, width, channels)
    }
  }

  /// - Throws: beside what a run throws `EditError.emptyPrompt`, with dpm2: its edit is all that the prompt says.
  public func validate(_ outline: EditOutline, on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters(outline)
    try checkLevels(on: schedule, method: name)
    if solver == .dpm2, let prompt = outline.prompt, prompt.allSatisfy(\.isWhitespace) {
      throw .emptyPrompt(method: name)
    }
  }

  func checkLevels(on schedule: NoiseSchedule, method: String) throws(EditError) {
    guard solver == .ddpm else {
      _ = try secondOrder(on: schedule)
      return
    }
    _ = try schedule.samplingGrid(steps: steps)
    guard editedLevels > 0 else {
      throw .nothingToDo(method: method, reason: "all \(steps) steps are skipped, lower skip")
    }
  }

  public func run(_ inputs: EditInputs, in context: EditContext) async throws -> Latent {
    try checkParameters(inputs.outline)
    try checkLevels(on: context.diffusion.schedule, method: name)
    let target = try inputs.target(for: name)
    let inversion =
      if let given = inputs.inversion { given } else { try await invert(inputs, in: context) }
    try check(inversion)
    switch solver {
    case .ddpm: return try await firstOrderEdit(inversion, to: target, in: context)
    case .dpm2: return try await secondOrderEdit(inversion, to: target, in: context)
    }
  }

  /// Inverts the photo: as far as this edit needs, or in full where it is traced or kept.
  ///
  /// Without a source prompt that says something it is inverted with the empty one, which halves the evaluations.
  package func invert(_ inputs: EditInputs, in context: EditContext) async throws -> Inversion {
    switch solver {
    case .ddpm: try await firstOrderInversion(inputs, in: context)
    case .dpm2: try await secondOrderInversion(inputs, in: context)
    }
  }
}

extension EditMethod {
  /// Edit-friendly DDPM inversion (`ddpm-inversion`); `skip` is a part of the steps.
  ///
  /// What is nil is the model's default or the paper's.
  public static func ddpmInversion(
    solver: DDPMInversion.Solver? = nil, steps: Int? = nil, skip: Double? = nil,
    sourceGuidance: Double? = nil, guidance: Double? = nil, eta: Double? = nil, zeroLast: Int? = nil
  ) -> EditMethod {
    EditMethod(
      DDPMInversion.self, Given(\.solver, solver), Given(\.steps, steps), Given(\.skip, skip),
      Given(\.sourceGuidance, sourceGuidance), Given(\.targetGuidance, guidance), Given(\.eta, eta),
      Given(\.zeroLast, zeroLast))
  }
}
