import Tensors

/// Semantic guidance: concepts steer a step along the difference of their prediction to the unconditional
/// one, each only where that difference is largest (Brack et al. 2023, semantic guidance).
///
///     d_c = ±S_c·(ε_c − ε_u), kept where |d_c| reaches its λ_c-quantile over the channel
///     G   = Σ_c ω_c·d_c + s_m·v;     v ← β_m·v + (1 − β_m)·G
///     ε   = ε_u + w·(ε_p − ε_u) + γ
///     γ   = G once every concept is warmed up; the weighted mean of the d_c that are while only some are
///
/// The momentum gathers during warm-up too, over all concepts; a cooled-down concept counts with d = 0.
public struct SemanticGuidance: Sendable, Equatable {
  public var concepts: [Concept]
  /// s_m.
  public var momentumScale: Double
  /// β_m.
  public var momentumBeta: Double

  public init(concepts: [Concept] = [], momentumScale: Double, momentumBeta: Double) {
    self.concepts = concepts
    self.momentumScale = momentumScale
    self.momentumBeta = momentumBeta
  }

  static let parameters: [Parameter<SemanticGuidance>] = [
    Parameter("momentum-scale", \.momentumScale, .any, "how much of the past guidance is added again")
      .inCases("s_m"),
    Parameter("momentum-beta", \.momentumBeta, .unit, "how slowly the past guidance fades").inCases("beta_m"),
  ]

  /// Indices of the concepts whose prediction matters at a step.
  func asked(at step: Int) -> [Int] { concepts.indices.filter { !concepts[$0].isCooledDown(at: step) } }

  /// Evaluations of `steps` steps, with a prompt of weight `promptScale` or without.
  func evaluations(steps: Int, promptScale: Double?) -> Int {
    let prompt = promptScale.map { $0 == 0 ? 0 : 1 } ?? 0
    guard !concepts.isEmpty else { return steps * (promptScale.map { Guidance($0).evaluations } ?? 1) }
    return (0..<steps).reduce(0) { $0 + 1 + prompt + asked(at: $1).count }
  }

  /// What is carried from step to step.
  struct Momentum { var v: [Double] = [] }

  /// ε of a step; sums are kept in Double and rounded once, so that a concept of scale 0 changes no bit.
  func guided(
    unconditional u: Latent, prompt: (noise: Latent, scale: Double)?, concepts noises: [Int: Latent],
    at step: Int,
    _ momentum: inout Momentum
  ) -> Latent {
    let count = u.values.count
    var g = [Double](repeating: 0, count: count)
    if let prompt {
      for i in 0..<count { g[i] = prompt.scale * (Double(prompt.noise.values[i]) - Double(u.values[i])) }
    }
    let directions = concepts.indices.map { c in
      noises[c].map { direction(of: concepts[c], $0, over: u) } ?? [Double](repeating: 0, count: count)
    }
    let weights = concepts.map { $0.isCooledDown(at: step) ? 0 : max($0.weight, 0) }
    let warm = concepts.indices.filter { step >= concepts[$0].warmup }

    let total = warm.reduce(0) { $0 + weights[$1] }
    if warm.count < concepts.count, total > 0 {
      for c in warm {
        for i in 0..<count { g[i] += weights[c] / total * directions[c][i] }
      }
    }
    if momentum.v.isEmpty { momentum.v = [Double](repeating: 0, count: count) }
    for i in 0..<count {
      var sum = 0.0
      for c in concepts.indices { sum += weights[c] * directions[c][i] }
      sum += momentumScale * momentum.v[i]
      momentum.v[i] = momentumBeta * momentum.v[i] + (1 - momentumBeta) * sum
      if warm.count == concepts.count { g[i] += sum }
    }
    return Latent(like: u, values: (0..<count).map { Float(Double(u.values[$0]) + g[$0]) })
  }

  /// d_c: the scaled difference where it is large for its channel, else 0.
  private func direction(of concept: Concept, _ noise: Latent, over u: Latent) -> [Double] {
    let channels = u.channels
    var d = (0..<u.values.count).map {
      concept.signedScale * (Double(noise.values[$0]) - Double(u.values[$0]))
    }
    for k in 0..<channels {
      let positions = stride(from: k, to: d.count, by: channels)
      let bound = quantile(positions.map { abs(d[$0]) }, concept.threshold)
      for i in positions where !(abs(d[i]) >= bound) { d[i] = 0 }
    }
    return d
  }
}

extension Diffusion {
  /// The guided prediction of one step of SEGA or LEDITS: one list [empty, prompt, concept 1, …].
  func guided(
    _ x: Latent, timestep: Int, _ prompt: (condition: Condition, scale: Double)?,
    _ semantics: SemanticGuidance,
    _ texts: [Condition], at step: Int, _ momentum: inout SemanticGuidance.Momentum
  ) async throws -> Latent {
    if semantics.concepts.isEmpty {
      guard let prompt else { return try await unguided(x, timestep: timestep) }
      return try await guided(x, timestep: timestep, prompt.condition, Guidance(prompt.scale))
    }
    let prompt = prompt?.scale == 0 ? nil : prompt
    let asked = semantics.asked(at: step)
    let conditions = [empty] + (prompt.map { [$0.condition] } ?? []) + asked.map { texts[$0] }
    let noises = try await unet.noise(conditions.map { NoiseQuery(x, timestep: timestep, $0) })
    return semantics.guided(
      unconditional: noises[0], prompt: prompt.map { (noises[1], $0.scale) },
      concepts: Dictionary(uniqueKeysWithValues: zip(asked, noises.suffix(asked.count))), at: step, &momentum)
  }
}
