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
    timestep: Int, noise: Latent, guidance: Double
  ) async throws -> Latent {
    let guidance = Guidance(guidance)
    func query(_ latent: Latent, _ prompt: Condition) -> GuidedQuery {
      GuidedQuery(schedule.diffuse(latent, to: timestep, noise), timestep: timestep, prompt, guidance)
    }
    guard let reference else { return try await guided([query(z, target)])[0] - noise }
    let eps = try await guided([query(z, target), query(reference.latent, reference.prompt)])
    return eps[0] - eps[1]
  }
}

/// Gradient descent on a latent, with score distillation in the place of a gradient: what SDS, DDS and PDS share.
public protocol ScoreDescent: EditingMethod {
  var iterations: Int { get set }
  var guidance: Double { get set }
  var learningRate: Double { get set }
  /// L of the loss L·Σ z·g/(h·w); nil: 2000·h·w/4096, the same step at every size. The official notebook
  /// has 2000, which is that for 64×64 cells.
  var lossScale: Double? { get set }
  /// What an iteration draws before its noise.
  var draws: ClosedRange<Int> { get }
  /// g of an iteration, before the mask.
  ///
  /// - Parameters:
  ///   - reference: the photo and what it shows; nil for SDS.
  ///   - draw: one of `draws`.
  func gradient(
    of z: Latent, toward target: Condition, relativeTo reference: (latent: Latent, prompt: Condition)?,
    draw: Int, noise: Latent, on model: Diffusion
  ) async throws -> Latent
}

/// A descent whose draws are timesteps and whose gradient is the weighted difference of predictions: SDS and DDS.
public protocol NoiseScoreDescent: ScoreDescent {
  /// Timesteps that noise is drawn for: 50 and 948, official notebook.
  var firstTimestep: Int { get set }
  var lastTimestep: Int { get set }
  /// p and q of the weight a_tᵖ·s_t^q; 0: none.
  var signalExponent: Int { get set }
  var noiseExponent: Int { get set }
}

extension ScoreDescent {
  public static var keepsProgress: Bool { true }

  /// The rows of every descent.
  static var descentParameters: [Parameter<Self>] {
    [
      Parameter("steps", \.iterations, .within(1...1_000_000), "gradient steps").reported(as: "iterations")
        .inCases("iters"),
      Parameter("cfg-scale", \.guidance, .any, "weight of the prompts").reported(as: "guidance").inCases("w"),
      Parameter("learning-rate", \.learningRate, .atLeast(0), "size of a step").inCases("lr"),
      Parameter(
        "loss-scale", \.lossScale, orDerived: "2000·h·w/4096", .any,
        "factor of the loss, which is divided by the latent's h·w cells"
      ).inCases("loss_scale"),
    ]
  }
}

extension NoiseScoreDescent {
  public static var parameters: [Parameter<Self>] {
    descentParameters + [
      Parameter("first-timestep", \.firstTimestep, .within(0...999), "lowest timestep drawn").fixed
        .inCases("t_min"),
      Parameter("last-timestep", \.lastTimestep, .within(0...999), "highest timestep drawn").fixed
        .inCases("t_max"),
      Parameter(
        "signal-exponent", \.signalExponent, .within(0...8), "power of the signal level in the weight"
      )
      .fixed,
      Parameter("noise-exponent", \.noiseExponent, .within(0...8), "power of the noise level in the weight")
        .fixed,
    ]
  }

  public func validate(_ outline: EditOutline, on schedule: NoiseSchedule) throws(EditError) {
    try checkParameters(outline)
    guard firstTimestep <= lastTimestep else {
      throw .parameter(
        method: name, name: "last-timestep", value: "\(lastTimestep)", allowed: "at least \(firstTimestep)")
    }
  }

  public var draws: ClosedRange<Int> { firstTimestep...lastTimestep }

  public func gradient(
    of z: Latent, toward target: Condition, relativeTo reference: (latent: Latent, prompt: Condition)?,
    draw t: Int, noise: Latent, on model: Diffusion
  ) async throws -> Latent {
    let g = try await model.scoreDistillation(
      of: z, toward: target, relativeTo: reference, timestep: t, noise: noise, guidance: guidance)
    let weight =
      power(model.schedule.signal(t), signalExponent) * power(model.schedule.noise(t), noiseExponent)
    return weight == 1 ? g : weight * g
  }

  private func power(_ base: Double, _ exponent: Int) -> Double {
    (0..<exponent).reduce(1) { p, _ in p * base }
  }
}

extension ScoreDescent {
  /// What the gradient is multiplied by: learning rate times L/(h·w).
  public func stepFactor(height: Int, width: Int) -> Double {
    learningRate * (lossScale.map { $0 / Double(height * width) } ?? 2000 / 4096)
  }

  /// Draws: 2k one of `draws`, 2k + 1 the noise of iteration k.
  ///
  /// - Parameter reference: what the photo shows; nil for SDS.
  func descend(
    _ inputs: EditInputs, relativeTo reference: Condition?, in context: EditContext
  ) async throws -> Latent {
    let (model, tape, observer) = (context.diffusion, context.tape, context.observer)
    let (source, target, mask) = (try inputs.photo(for: name), try inputs.target(for: name), inputs.mask)
    try validate(inputs.outline, on: model.schedule)
    try mask?.check(for: source)
    if let mask, mask.leavesNothing(observer) { return source }
    let factor = stepFactor(height: source.height, width: source.width)
    var run = try await DescentProgress(context.journal.progress(of: name).kept) ?? .init(k: 0, z: source)
    while run.k < iterations {
      let k = run.k
      let draw = try tape.integer(2 * k, in: draws)
      let n = try tape.normal(2 * k + 1, like: source)
      var g = try await gradient(
        of: run.z, toward: target, relativeTo: reference.map { (source, $0) }, draw: draw, noise: n, on: model
      )
      if let mask { g = mask * g }
      let z = Latent.combination([(1, run.z), (-factor, g)])
      guard z.isWithin(1e4) else { throw EditError.diverged(method: name, step: k + 1, limit: 1e4) }
      observer("grads", g)
      observer("traj", z)
      run = DescentProgress(k: k + 1, z: z)
      try await context.journal.keep(run.entry, of: name)
    }
    observer("out", run.z)
    return run.z
  }
}

/// How far a descent has come: iterations done, and the latent after them.
struct DescentProgress: Sendable {
  var k: Int
  var z: Latent

  init(k: Int, z: Latent) { (self.k, self.z) = (k, z) }

  init?(_ entry: JournalEntry?) {
    guard let k = entry?.numbers["k"].flatMap(Int.init(exactly:)), let z = entry?.tensors["z"] else {
      return nil
    }
    self.init(k: k, z: Latent(z))
  }

  var entry: JournalEntry { JournalEntry(numbers: ["k": Double(k)], tensors: ["z": z.tensor]) }
}

extension EditMethod {
  /// What the factories of all of them do: these rows are those of the protocol.
  static func descent<Method: ScoreDescent>(
    _ type: Method.Type, steps: Int?, guidance: Double?, learningRate: Double?, lossScale: Double?
  ) -> EditMethod {
    EditMethod(
      type, Given(\.iterations, steps), Given(\.guidance, guidance), Given(\.learningRate, learningRate),
      Given(\.lossScale, lossScale))
  }
}
