import Tensors

/// LEDITS++: inversion through a second-order SDE solver in few steps, and concepts that act inside masks
/// found from attention and noise (Brack et al. 2024).
///
///     δ_k, x_{k+1} = μ(x_k, m_k, m_{k−1}) + δ_k by `SolverInversion`                            (perfect inversion)
///     ψ_c = ±S_c·(ε_c − ε_u)·M_c;   ε = ε_u + Σ_c ψ_c                                            (textual editing)
///
/// There is no prompt branch and no momentum; without concepts the photo comes back to rounding. Draws: those of the
/// inversion.
public struct LEDITSPlusPlus: InvertingMethod, ConceptMethod {
  public enum MaskMode: String, Sendable, Codable, CaseIterable {
    /// Attention and noise; attention alone at t > 800, but for models of SDXL's kind.
    case intersect
    case attention
    case noise
  }

  /// n, the executed steps.
  public var steps = 30
  /// Part of n that the grid has beyond the executed steps, at its noisy end.
  public var skip = 0.15
  public var sourceGuidance = 3.5
  public var mode = MaskMode.intersect
  /// The last steps that go without their residual. 0: exact reconstruction; the released code has 1.
  public var zeroLast = 0
  public var concept = Concept.leditsPlusPlus
  package var concepts: [Concept] = []

  public init() {}

  public static let about = MethodSummary(
    name: "ledits++",
    summary: "Few-step exact inversion; concepts act inside masks the network finds itself.",
    paper: "Brack et al. 2024, LEDITS++: Limitless Image Editing using Text-to-Image Models",
    goals: [.colour, .style, .remove], needs: [.image, .concepts], accepts: [.sourcePrompt, .mask],
    findsMask: .inHindsight,
    evaluations: "(1 or 2)·steps + steps·(1 + concepts) = 90 for one concept, 60 with a saved inversion")

  public static let parameters: [Parameter<LEDITSPlusPlus>] =
    [
      Parameter("steps", \.steps, .within(1...499), "executed steps").inCases("n").shapesInversion(),
      Parameter("skip", \.skip, .within(0...10), "noisiest levels left out, as a part of the steps")
        .inCases("skip").shapesInversion(),
      Parameter("source-cfg-scale", \.sourceGuidance, .any, "weight of the source prompt in the inversion")
        .reported(as: "source-guidance").inCases("w_src").shapesInversion().idle { Idle.withoutSource($1) },
      Parameter("mask-mode", \.mode, "what the implicit masks are made of").inCases("mode"),
      DDPMInversion.zeroLast(\.zeroLast),
    ] + Concept.parameters.map { $0.inside(\LEDITSPlusPlus.concept) }
  public static var caseKinds: [String: Self] { ["leditspp": Self()] }

  func inversionEvaluations(hasSourcePrompt: Bool) -> Int {
    steps * (hasSourcePrompt ? Guidance(sourceGuidance).evaluations : 1)
  }
  public func evaluations(_ outline: EditOutline) -> Int {
    let method = with(conceptsOf: outline)
    return (outline.inversion == .given ? 0 : inversionEvaluations(hasSourcePrompt: outline.hasSourceText))
      + (0..<steps).reduce(0) { $0 + 1 + method.active(at: $1).count }
  }
  public func evaluationsAtOnce(_ outline: EditOutline) -> Int {
    1 + outline.concepts.count
  }
  public func demands(_ outline: EditOutline) -> NetworkDemands { mode == .noise ? [] : .attentionMaps }

  /// Residuals, start and reconstruction; the last denoised latent.
  public func storageBytes(_ outline: EditOutline, height: Int, width: Int, channels: Int) -> Int {
    bytes((outline.inversion == .given ? 0 : steps + 2) + 1, height, width, channels)
  }

  private func solver(on schedule: NoiseSchedule) throws(EditError) -> SolverInversion {
    try SolverInversion(method: name, schedule, steps: steps, skip: skip, zeroLast: zeroLast)
  }

  func active(at step: Int) -> [Int] {
    concepts.indices.filter { step >= concepts[$0].warmup && !concepts[$0].isCooledDown(at: step) }
  }

  public func validate(_ outline: EditOutline, on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters(outline)
    _ = try solver(on: schedule)
  }

  public func run(_ inputs: EditInputs, in context: EditContext) async throws -> Latent {
    try validate(inputs.outline, on: context.diffusion.schedule)
    let method = with(conceptsOf: inputs.outline)
    try method.concepts.check(against: inputs.conceptConditions.count, method: name)
    method.warnOfRemoval(inputs.outline, context.observer)
    let inversion =
      if let given = inputs.inversion { given } else { try await invert(inputs, in: context) }
    return try await method.edit(
      inversion, concepts: inputs.conceptConditions, mask: inputs.mask, in: context)
  }
}

extension LEDITSPlusPlus {
  /// Inverts the photo (`SolverInversion`). Without a source prompt that says something, the authors' default, it is
  /// inverted with the empty one.
  package func invert(_ inputs: EditInputs, in context: EditContext) async throws -> Inversion {
    try await solver(on: context.diffusion.schedule).invert(
      inputs.photo(for: name), from: inputs.referenceIfAny, Guidance(sourceGuidance),
      into: newInversion(inputs.outline), in: context)
  }

  /// - Parameters:
  ///   - texts: the texts of `concepts`, in that order; `wordRows` says where in their maps their words are.
  ///   - mask: multiplies every concept's direction; nil: the implicit masks alone.
  private func edit(
    _ inversion: Inversion, concepts texts: [Condition], mask: Mask?, in context: EditContext
  ) async throws -> Latent {
    let (model, observer) = (context.diffusion, context.observer)
    try check(inversion)
    let start = try inversion.state(steps)
    try mask?.check(for: start)
    var mode = mode
    var edited = Mask(height: start.height, width: start.width, repeating: 0)
    let out = try await solver(on: model.schedule).sample(inversion, in: context) { i, x, t in
      let active = active(at: i)
      let queries =
        [NoiseQuery(x, timestep: t, model.empty)]
        + active.map { c in
          var query = NoiseQuery(x, timestep: t, texts[c])
          query.wantsAttention = mode != .noise
          return query
        }
      let answers = try await model.unet.predict(queries)
      if mode != .noise, answers.dropFirst().contains(where: { $0.attention == nil }) {
        if mode == .attention { throw EditError.noAttentionMaps(method: name) }
        observer.warn(
          "The model has no cross-attention maps at a quarter of the latent's size; masks come from noise alone."
        )
        mode = .noise
      }

      let u = answers[0].noise
      var eps = u.values.map(Double.init)
      for (c, answer) in zip(active, answers.dropFirst()) {
        let (psi, region) = direction(concepts[c], texts[c], answer, over: u, at: t, mode, mask)
        observer.tensor("masks", region.tensor)
        edited = edited.union(region)
        for j in eps.indices where region.values[j / u.channels] == 1 { eps[j] += psi[j] }
      }
      return Latent(like: x, values: eps.map { Float($0) })
    }
    if mask == nil { observer.acted(in: edited) }
    return out
  }

  /// ψ of a concept before its implicit mask, and that mask.
  private func direction(
    _ concept: Concept, _ text: Condition, _ answer: NoisePrediction, over u: Latent, at timestep: Int,
    _ mode: MaskMode, _ user: Mask?
  ) -> (psi: [Double], region: Mask) {
    let eps = answer.noise
    var psi = u.values.indices.map { concept.signedScale * (Double(eps.values[$0]) - Double(u.values[$0])) }
    if let user {
      for j in psi.indices { psi[j] *= Double(user.values[j / u.channels]) }
    }
    var region = Mask(height: u.height, width: u.width)
    if mode != .noise, let map = answer.attention {
      region = ImplicitMask.attention(
        map, words: text.wordRows, threshold: concept.threshold, height: u.height, width: u.width)
    }
    if mode == .noise || (mode == .intersect && (timestep <= 800 || text.pooled != nil)) {
      region = region.intersection(
        ImplicitMask.magnitude(psi, threshold: concept.threshold, height: u.height, width: u.width))
    }
    return (psi, region)
  }
}

extension EditMethod {
  /// LEDITS++ (`ledits++`).
  ///
  /// What is nil is the model's default or the paper's.
  public static func leditsPlusPlus(
    steps: Int? = nil, skip: Double? = nil, sourceGuidance: Double? = nil,
    maskMode: LEDITSPlusPlus.MaskMode? = nil, zeroLast: Int? = nil, conceptScale: Double? = nil,
    conceptWarmup: Int? = nil, conceptCooldown: Int? = nil, conceptThreshold: Double? = nil
  ) -> EditMethod {
    EditMethod(
      LEDITSPlusPlus.self, Given(\.steps, steps), Given(\.skip, skip),
      Given(\.sourceGuidance, sourceGuidance), Given(\.mode, maskMode), Given(\.zeroLast, zeroLast),
      Given(\.concept.scale, conceptScale), Given(\.concept.warmup, conceptWarmup),
      Given(\.concept.cooldown, conceptCooldown), Given(\.concept.threshold, conceptThreshold))
  }
}
