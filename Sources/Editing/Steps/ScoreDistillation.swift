import Tensors

extension Diffusion {
  /// The gradient of score distillation, the network's Jacobian dropped:
  ///
  ///     x = a_t·z + s_t·n
  ///     SDS  g = ε̃(x; target) − n                          (Poole et al. 2023, eq. 3)
  ///     DDS  g = ε̃(x; target) − ε̃(x_ref; source)           (Hertz et al. 2023)
  ///
  /// with the same t and n on both sides, so that the error both predictions share cancels. Where latent
  /// and prompt are those of the reference, g is 0 bit for bit.
  /// - Parameter reference: the matched pair of picture and prompt; nil for SDS.
  public func scoreDistillation(
    of z: Latent, toward target: Condition, relativeTo reference: (latent: Latent, prompt: Condition)?,
    timestep: Int, noise: Latent, guidance: Guidance
  ) async throws -> Latent {
    func query(_ latent: Latent, _ prompt: Condition) -> GuidedQuery {
      GuidedQuery(schedule.diffuse(latent, to: timestep, noise), timestep: timestep, prompt, guidance)
    }
    guard let reference else { return try await guided([query(z, target)])[0] - noise }
    let eps = try await guided([query(z, target), query(reference.latent, reference.prompt)])
    return eps[0] - eps[1]
  }
}

/// Gradient descent on a latent, with score distillation in the place of a gradient: what SDS and DDS share.
public protocol ScoreDescent: EditingMethod {
  var iterations: Int { get set }
  var guidance: Double { get set }
  var learningRate: Double { get set }
  /// L of the loss L·Σ z·g/(h·w); nil: 2000·h·w/4096, the same step at every size. The official notebook
  /// has 2000, which is that for 64×64 cells.
  var lossScale: Double? { get set }
  /// Timesteps that noise is drawn for: 50…948, official notebook.
  var timesteps: ClosedRange<Int> { get set }
  /// p and q of the weight a_tᵖ·s_t^q; 0: none.
  var signalExponent: Int { get set }
  var noiseExponent: Int { get set }
}

extension ScoreDescent {
  public var parameters: [Parameter] {
    [
      Parameter("iterations", iterations, .within(0...1_000_000), "gradient steps"),
      Parameter("guidance", guidance, .any, "weight of the prompts"),
      Parameter("learning-rate", learningRate, .atLeast(0), "size of a step"),
      Parameter(
        "loss-scale", lossScale, orDerived: "2000·h·w/4096", .any,
        "factor of the loss, which is divided by the latent's h·w cells"),
      Parameter("first-timestep", timesteps.lowerBound, .within(0...999), "lowest timestep drawn"),
      Parameter("last-timestep", timesteps.upperBound, .within(0...999), "highest timestep drawn"),
      Parameter("signal-exponent", signalExponent, .within(0...8), "power of the signal level in the weight"),
      Parameter("noise-exponent", noiseExponent, .within(0...8), "power of the noise level in the weight"),
    ]
  }

  public func validate(on schedule: NoiseSchedule) throws(EditError) { try checkParameters() }

  /// What the gradient is multiplied by: learning rate times L/(h·w).
  public func stepFactor(height: Int, width: Int) -> Double {
    learningRate * (lossScale.map { $0 / Double(height * width) } ?? 2000 / 4096)
  }

  /// Draws: 2k the timestep, 2k + 1 the noise of iteration k.
  func descend(
    from source: Latent, to target: Condition, relativeTo reference: Condition?, mask: Mask?,
    model: Diffusion<some NoisePredictor>, tape: any NoiseTape, observer: EditObserver
  ) async throws -> Latent {
    try checkParameters()
    try mask?.check(for: source)
    if let mask, mask.leavesNothing(observer) { return source }
    let factor = stepFactor(height: source.height, width: source.width)
    var z = source
    for k in 0..<iterations {
      let t = try tape.integer(2 * k, in: timesteps)
      let n = try tape.normal(2 * k + 1, like: source)
      var g = try await model.scoreDistillation(
        of: z, toward: target, relativeTo: reference.map { (source, $0) }, timestep: t, noise: n,
        guidance: Guidance(guidance))
      let weight =
        power(model.schedule.signal(t), signalExponent) * power(model.schedule.noise(t), noiseExponent)
      if weight != 1 { g = weight * g }
      if let mask { g = mask * g }
      z = .combination([(1, z), (-factor, g)])
      guard z.isWithin(1e4) else { throw EditError.diverged(method: name, step: k + 1, limit: 1e4) }
      observer("grads", g)
      observer("traj", z)
    }
    observer("out", z)
    return z
  }

  private func power(_ base: Double, _ exponent: Int) -> Double {
    (0..<exponent).reduce(1) { p, _ in p * base }
  }
}
