import Tensors

/// InfEdit's virtual inversion: sample along a path whose source branch is *known* to lead to the photo at every step,
/// so that nothing is inverted (Xu, Huang, Pan, Ma & Chai 2024, denoising diffusion consistent model).
///
///     d = ε̃(x_t; target) − ε̃(x_s; source);   p = x₀ + [(x_t − x_s) − s·d]/a;   the last p is the result
///     e = (x_s − a·x₀)/s                                              the noise that the source branch holds
///     x_t ← a'·p  + √((1−ᾱ')·(1−η))·(d + e) + √((1−ᾱ')·η)·z
///     x_s ← a'·x₀ + √((1−ᾱ')·(1−η))·e       + √((1−ᾱ')·η)·z           the same z
///
/// on the timesteps of a latent consistency model (`ConsistencyGrid`). η multiplies the variance; at 1 all noise is
/// fresh. The attention control that the publication adds is not here. Draws: the start, then z of every step but the
/// last.
public struct InfEdit: EditingMethod {
  /// Where both branches begin.
  public enum Start: String, Sendable, Codable, CaseIterable {
    case noise
    /// The photo with that noise.
    case latent
  }

  public var steps = 15
  /// Part of the steps that is run, the cleanest ones.
  public var strength = 1.0
  public var sourceGuidance = 1.0
  public var targetGuidance = 2.0
  public var eta = 1.0
  public var start = Start.noise
  /// Told to the network of a latent consistency model; the released code tells it nothing.
  public var embedGuidance: Double?

  public init() {}

  public static let about = MethodSummary(
    name: "infedit",
    summary: "Samples beside a path that is known to lead to the photo; inverts nothing.",
    paper: "Xu et al. 2024, Inversion-Free Image Editing with Natural Language",
    goals: [.colour, .object, .fast], needs: [.image, .sourcePrompt, .targetPrompt], needsWords: true,
    evaluations: "(1 or 2)·⌊strength·steps⌋ for each prompt = 45")

  public static let parameters: [Parameter<InfEdit>] = [
    Parameter("steps", \.steps, .steps, "network steps of the whole schedule").inCases("steps"),
    Parameter(
      "strength", \.strength, .fraction,
      "part of the schedule that is run; 0.7 is good where models are not distilled"
    ).inCases("strength"),
    Parameter("source-cfg-scale", \.sourceGuidance, .any, "weight of the source prompt")
      .reported(as: "source-guidance").inCases("w_src"),
    Parameter("cfg-scale", \.targetGuidance, .any, "weight of the target prompt").reported(as: "guidance")
      .inCases("w_tgt"),
    Parameter("eta", \.eta, .unit, "part of the variance that is fresh noise in every step").inCases("eta"),
    Parameter("start", \.start, "whether the edit begins with noise alone or with the photo in it")
      .inCases("start"),
    .toldGuidance(\.embedGuidance),
  ]
  public static var caseKinds: [String: Self] { ["infedit": Self()] }

  /// Consistency models run as published. Others do better from the photo than from noise, with one guidance for both
  /// prompts.
  public static func defaults(of kind: ModelKind, beside given: MethodSettings) -> MethodSettings {
    if kind.isConsistency { return [:] }
    let guidance = kind.takesFewSteps ? .number(1) : given["cfg-scale"] ?? .number(2)
    return [
      "start": .word(Start.latent.rawValue), "strength": .number(0.7), "source-cfg-scale": guidance,
      "cfg-scale": guidance,
    ]
  }

  /// K.
  private var transitionCount: Int { transitions(strength, of: steps) }
  public func evaluations(_ outline: EditOutline) -> Int { transitionCount * evaluationsAtOnce(outline) }
  public func evaluationsAtOnce(_ outline: EditOutline) -> Int {
    Guidance(sourceGuidance).evaluations + Guidance(targetGuidance).evaluations
  }
  /// The photo and the source branch.
  public func storageBytes(_ outline: EditOutline, height: Int, width: Int, channels: Int) -> Int {
    bytes(2, height, width, channels)
  }

  public func validate(_ outline: EditOutline, on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters(outline)
    _ = try timesteps(on: schedule)
    try requireTransition(strength, of: steps)
  }

  /// Descending.
  private func timesteps(on schedule: NoiseSchedule) throws(EditError) -> [Int] {
    Array(try schedule.consistencyGrid(steps: steps).timesteps.suffix(transitionCount))
  }

  public func run(_ inputs: EditInputs, in context: EditContext) async throws -> Latent {
    try validate(inputs.outline, on: context.diffusion.schedule)
    let (model, tape, observer) = (context.diffusion, context.tape, context.observer)
    let photo = try inputs.photo(for: name)
    let (source, target) = (try inputs.reference(for: name), try inputs.target(for: name))
    let timesteps = try timesteps(on: model.schedule)
    let n = try tape.normal(0, like: photo)
    var branches = Branches(
      at: start == .noise ? n : model.schedule.diffuse(photo, to: timesteps[0], n), photo: photo)
    for (i, t) in timesteps.enumerated() {
      let eps = try await model.guided([
        GuidedQuery(
          branches.target, timestep: t, target, Guidance(targetGuidance), telling: embedGuidance),
        GuidedQuery(
          branches.source, timestep: t, source, Guidance(sourceGuidance), telling: embedGuidance),
      ])
      let d = eps[0] - eps[1]
      let p = try branches.edited(d, at: model.schedule.alphaBar(t)).checked(name, step: i + 1)
      observer("preds", p)
      guard i + 1 < timesteps.count else {
        observer("out", p)
        return p
      }
      branches.advance(
        p, d, from: model.schedule.alphaBar(t), to: model.schedule.alphaBar(timesteps[i + 1]), eta: eta,
        try tape.normal(1 + i, like: photo))
      observer("traj", branches.target)
    }
    preconditionFailure("a grid without timesteps")
  }
}

/// x_t and x_s, and what the second is known to lead to.
private struct Branches {
  var target: Latent
  var source: Latent
  let photo: Latent

  init(at start: Latent, photo: Latent) { (target, source, self.photo) = (start, start, photo) }

  /// p, x₀ bit for bit where the branches and their predictions are the same.
  func edited(_ d: Latent, at alphaBar: Double) -> Latent {
    let (a, s) = (alphaBar.squareRoot(), (1 - alphaBar).squareRoot())
    return photo + .combination([(1 / a, target - source), (-s / a, d)])
  }

  mutating func advance(
    _ p: Latent, _ d: Latent, from alphaBar: Double, to next: Double, eta: Double, _ z: Latent
  ) {
    let (a, s) = (alphaBar.squareRoot(), (1 - alphaBar).squareRoot())
    let (own, kept) = (next.squareRoot(), ((1 - next) * (1 - eta)).squareRoot())
    // e, by its share.
    let known = [(kept / s, source), (-kept * a / s, photo), (((1 - next) * eta).squareRoot(), z)]
    source = .combination([(own, photo)] + known)
    target = .combination([(own, p), (kept, d)] + known)
  }
}

extension EditMethod {
  /// InfEdit's virtual inversion (`infedit`).
  ///
  /// What is nil is the model's default or the paper's.
  public static func infEdit(
    steps: Int? = nil, strength: Double? = nil, sourceGuidance: Double? = nil, guidance: Double? = nil,
    eta: Double? = nil, start: InfEdit.Start? = nil, embedGuidance: Double? = nil
  ) -> EditMethod {
    EditMethod(
      InfEdit.self, Given(\.steps, steps), Given(\.strength, strength),
      Given(\.sourceGuidance, sourceGuidance), Given(\.targetGuidance, guidance), Given(\.eta, eta),
      Given(\.start, start), Given(\.embedGuidance, embedGuidance))
  }
}
