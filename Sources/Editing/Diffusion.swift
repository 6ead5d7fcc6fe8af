import Tensors

/// A diffusion model as the editing methods see it.
public struct Diffusion: Sendable {
  public var unet: any NoisePredictor
  public var schedule: NoiseSchedule
  /// What guidance points away from: the condition of the empty prompt, or of a negative one.
  public var empty: Condition

  public init(unet: any NoisePredictor, schedule: NoiseSchedule, empty: Condition) {
    self.unet = unet
    self.schedule = schedule
    self.empty = empty
  }

  /// Several guided predictions from one list of queries, that is, one pass over the weights.
  package func guided(_ asked: [GuidedQuery]) async throws -> [Latent] {
    let queries = asked.map { ask in
      ask.guidance.queries(
        ask.latent, timestep: ask.timestep, ask.condition, over: ask.unconditional ?? empty,
        levelAlphaBar: ask.levelAlphaBar
      ).map { query in
        var query = query
        query.adapterScale = ask.adapterScale
        query.toldGuidance = ask.toldGuidance
        return query
      }
    }
    var answers = try await unet.noise(queries.flatMap { $0 })[...]
    return zip(asked, queries).map { ask, queries in
      defer { answers = answers.dropFirst(queries.count) }
      return ask.guidance.combine(answers.prefix(queries.count))
    }
  }

  /// One guided prediction.
  ///
  /// - Parameter toldGuidance: see `NoiseQuery.toldGuidance`.
  package func guided(
    _ latent: Latent, timestep: Int, _ condition: Condition, _ guidance: Guidance,
    telling toldGuidance: Double? = nil
  ) async throws -> Latent {
    try await guided([
      GuidedQuery(latent, timestep: timestep, condition, guidance, telling: toldGuidance)
    ])[0]
  }

  /// The prediction for the empty prompt.
  package func unguided(_ latent: Latent, timestep: Int) async throws -> Latent {
    try await unet.noise([NoiseQuery(latent, timestep: timestep, empty)])[0]
  }
}
