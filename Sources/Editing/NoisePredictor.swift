import Tensors

/// One question to the noise predictor: the noise in `latent` at `timestep` under `condition`.
public struct NoiseQuery: Sendable {
  public var latent: Latent
  /// Training timestep that the network is told, 0…999.
  public var timestep: Int
  public var condition: Condition
  /// ᾱ of the level that `latent` is on, where it is not that of `timestep` (DDIM inversion is told the
  /// level it goes to). A v-prediction is converted with it.
  public var levelAlphaBar: Double?
  /// What the side branches of adapters (LoRA) are multiplied by; without adapters it means nothing.
  public var adapterScale = 1.0
  /// The guidance weight that a network is told which has a layer for it (latent consistency models); nil tells it
  /// nothing.
  public var toldGuidance: Double?
  /// Ask for the cross-attention map of this query as well (LEDITS++).
  public var wantsAttention = false

  public init(_ latent: Latent, timestep: Int, _ condition: Condition, levelAlphaBar: Double? = nil) {
    self.latent = latent
    self.timestep = timestep
    self.condition = condition
    self.levelAlphaBar = levelAlphaBar
  }
}

/// The answer to one `NoiseQuery`.
public struct NoisePrediction: Sendable {
  /// ε, whatever the network predicts (see `NoiseSchedule.epsilon`).
  public var noise: Latent
  /// Cross-attention probabilities averaged over heads and layers of the (h/4)×(w/4) grid,
  /// `[h/4, w/4, tokens]`; nil unless asked for or where the network has no such layer.
  public var attention: HostTensor?

  public init(noise: Latent, attention: HostTensor? = nil) {
    self.noise = noise
    self.attention = attention
  }
}

/// The trained network as the methods see it: latents in, noise out.
///
/// Queries come in lists so that guidance, source and target branches share one pass over the weights.
/// An answer does not depend on what else is in the list, so a predictor may split a list that does not
/// fit its memory. It answers in the order of the list, and checks for cancellation.
public protocol NoisePredictor: Sendable {
  func predict(_ queries: [NoiseQuery]) async throws -> [NoisePrediction]
}

extension NoisePredictor {
  /// The noise alone.
  public func noise(_ queries: [NoiseQuery]) async throws -> [Latent] {
    try await predict(queries).map(\.noise)
  }
}

/// Pictures to latents and back.
public protocol LatentCodec: Sendable {
  /// `[H, W, 3]` in −1…1 → mean and log-variance of the posterior, both `[H/8, W/8, 4]`, the mean already
  /// multiplied by the scaling factor.
  func encode(_ signal: HostTensor) async throws -> (mean: Latent, logVariance: Latent)
  /// Scaled latent → `[H, W, 3]`, not clamped.
  func decode(_ latent: Latent) async throws -> HostTensor
}
