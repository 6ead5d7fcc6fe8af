import Tensors

/// LEDITS++: inversion through a second-order SDE solver in few steps, and concepts that act inside masks
/// found from attention and noise (Brack et al. 2024).
///
///     x_k = A_k·x₀ + S_k·n_k;   z_k = (x_{k+1} − μ(x_k, m_k, m_{k−1}))/(S_{k+1}·√(1 − E²))       (perfect inversion)
///     ψ_c = ±S_c·(ε_c − ε_u)·M_c;   ε = ε_u + Σ_c ψ_c                                            (textual editing)
///
/// There is no prompt branch and no momentum. Draws: the noise of each executed level in ascending time.
public struct LEDITSPlusPlus: InvertingMethod {
  public enum MaskMode: String, Sendable, Codable, CaseIterable {
    /// Attention and noise, attention alone at t > 800.
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
  public var concepts: [Concept] = []

  public init() {}

  public static let about = MethodSummary(
    name: "ledits++",
    summary: "Few-step exact inversion; concepts act inside masks the network finds itself.",
    paper: "Brack et al. 2024, LEDITS++: Limitless Image Editing using Text-to-Image Models",
    needs: [.image, .concepts], accepts: [.sourcePrompt, .mask],
    evaluations: "(1 or 2)·steps + steps·(1 + concepts) = 90 for one concept, 60 with a saved inversion")

  public var parameters: [Parameter] {
    [
      Parameter("steps", steps, .within(1...499), "executed steps"),
      Parameter("skip", skip, .within(0...10), "noisiest levels left out, as a part of the steps"),
      Parameter("source-guidance", sourceGuidance, .any, "weight of the source prompt in the inversion"),
      Parameter("mask-mode", mode, "what the implicit masks are made of"),
    ] + concepts.parameters(standard: .leditsPlusPlus)
  }

  public func inversionEvaluations(hasSourcePrompt: Bool) -> Int {
    steps * (hasSourcePrompt ? Guidance(sourceGuidance).evaluations : 1)
  }
  public func evaluations(hasSourcePrompt: Bool, inversion: InversionUse = .discarded) -> Int {
    (inversion == .given ? 0 : inversionEvaluations(hasSourcePrompt: hasSourcePrompt))
      + (0..<steps).reduce(0) { $0 + 1 + active(at: $1).count }
  }

  public var inversionParameters: Set<String> { ["steps", "skip", "source-guidance"] }
  /// Noise maps, start and reconstruction; the last denoised latent.
  public func storageBytes(height: Int, width: Int, channels: Int, inversion: InversionUse) -> Int {
    bytes((inversion == .given ? 0 : steps + 2) + 1, height, width, channels)
  }

  /// Levels of the grid, of which the last `steps` are executed: ⌊n·(1 + skip)⌋.
  var gridSteps: Int { Int((Double(steps) * (1 + skip) + 1e-9).rounded(.down)) }

  func active(at step: Int) -> [Int] {
    concepts.indices.filter { step >= concepts[$0].warmup && !concepts[$0].isCooledDown(at: step) }
  }

  public func validate(on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters()
    _ = try schedule.dpmGrid(steps: gridSteps, spacing: .leading)
  }
}

extension LEDITSPlusPlus {
  /// Inverts `source`. Level ℓ is the ℓ-th from the end of the grid: the start at level n, at level 0 what an edit
  /// without concepts returns (the photo up to the last step, which has no noise).
  ///
  /// - Parameter prompt: what the photo shows; nil, the default of the authors, for the empty prompt.
  public func invert(
    _ source: Latent, from prompt: Condition? = nil, model: Diffusion<some NoisePredictor>,
    tape: any NoiseTape,
    observer: EditObserver = .none
  ) async throws -> Inversion {
    try validate(on: model.schedule)
    let grid = try model.schedule.dpmGrid(steps: gridSteps, spacing: .leading)
    let first = grid.steps - steps
    func noised(_ k: Int) throws -> Latent {
      guard k < grid.steps else { return source }
      let n = try tape.normal(grid.steps - 1 - k, like: source)
      return .combination([(grid.signal[k], source), (grid.noise[k], n)])
    }

    let start = try noised(first)
    var inversion = newInversion(states: [steps: start], without: prompt == nil ? ["source-guidance"] : [])
    var (x, previous) = (start, Latent?.none)
    for k in first..<grid.steps {
      let t = grid.timesteps[k]
      let eps =
        if let prompt {
          try await model.guided(x, timestep: t, prompt, Guidance(sourceGuidance))
        } else {
          try await model.unguided(x, timestep: t)
        }
      let m = grid.denoised(k, x, eps)
      let mean = grid.step(k, x, denoised: m, previous: previous, .sde)
      let scale = grid.noiseScale(k)
      let z =
        scale > 0
        ? Latent.combination([(1 / scale, try noised(k + 1)), (-1 / scale, mean)])
        : Latent(like: x, values: x.values.map { _ in 0 })
      x = try grid.step(k, x, denoised: m, previous: previous, .sde, noise: scale > 0 ? z : nil)
        .checked(name, step: k - first + 1)
      inversion.noiseMaps[grid.steps - k] = z
      observer("zs", z)
      previous = m
    }
    inversion.states[0] = x
    observer("start", start)
    observer.inverted(inversion)
    return inversion
  }

  /// - Parameters:
  ///   - texts: the texts of `concepts`, in that order; `tokenCount` says how many words their maps have.
  ///   - mask: multiplies every concept's direction; nil: the implicit masks alone.
  public func edit(
    _ inversion: Inversion, concepts texts: [Condition], mask: Mask? = nil,
    model: Diffusion<some NoisePredictor>,
    observer: EditObserver = .none
  ) async throws -> Latent {
    try validate(on: model.schedule)
    try concepts.check(against: texts.count, method: name)
    try check(inversion)
    let start = try inversion.state(steps)
    try mask?.check(for: start)
    let grid = try model.schedule.dpmGrid(steps: gridSteps, spacing: .leading)
    var mode = mode
    var (x, previous) = (start, Latent?.none)
    var edited = Mask(height: x.height, width: x.width, repeating: 0)
    for (i, k) in (grid.steps - steps..<grid.steps).enumerated() {
      let (t, active) = (grid.timesteps[k], active(at: i))
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
      let m = grid.denoised(k, x, Latent(like: x, values: eps.map { Float($0) }))
      let z = grid.noiseScale(k) > 0 ? try inversion.noiseMap(grid.steps - k) : nil
      x = try grid.step(k, x, denoised: m, previous: previous, .sde, noise: z).checked(name, step: i + 1)
      previous = m
      observer("traj", x)
    }
    if mask == nil { observer.acted(in: edited) }
    observer("out", x)
    return x
  }

  /// Inverts `source` and edits it.
  /// - Parameter inversion: to be used instead of inverting again.
  public func edit(
    _ source: Latent, from prompt: Condition? = nil, concepts texts: [Condition], mask: Mask? = nil,
    given inversion: Inversion? = nil, model: Diffusion<some NoisePredictor>, tape: any NoiseTape,
    observer: EditObserver = .none
  ) async throws -> Latent {
    try concepts.check(against: texts.count, method: name)
    let inversion =
      if let inversion { inversion } else {
        try await invert(source, from: prompt, model: model, tape: tape, observer: observer)
      }
    return try await edit(inversion, concepts: texts, mask: mask, model: model, observer: observer)
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
        map, tokens: text.tokenCount, threshold: concept.threshold, height: u.height, width: u.width)
    }
    if mode == .noise || (mode == .intersect && timestep <= 800) {
      region = region.intersection(
        ImplicitMask.magnitude(psi, threshold: concept.threshold, height: u.height, width: u.width))
    }
    return (psi, region)
  }
}
