import Tensors

/// What an autoencoder says of a picture's latent: a mean and, for every value, how far it may lie from it (Kingma &
/// Welling 2014, section 3; Rombach et al. 2022), both times the model's scaling factor.
public struct Posterior: Sendable {
  public var mean: Latent
  /// Nil: there is nothing but the mean.
  public var deviation: Latent?

  /// Which latent of a picture an edit works on.
  public enum Choice: String, Sendable, Codable, CaseIterable {
    case mean
    /// One draw, before all others of the run.
    case sample

    /// Draws of a run that come before its method's.
    public var draws: Int { self == .sample ? 1 : 0 }
  }

  public init(mean: Latent, deviation: Latent? = nil) { (self.mean, self.deviation) = (mean, deviation) }

  /// - Parameters:
  ///   - logVariance: of the latent before it is scaled, clamped to −30…20 as the reference does.
  ///   - scale: the model's scaling factor.
  public init(mean: Latent, logVariance: Latent, scale: Double) {
    let deviation = logVariance.values.map {
      Float(scale * PortableMath.exponential(0.5 * min(max(Double($0), -30), 20)))
    }
    self.init(mean: mean, deviation: Latent(like: mean, values: deviation))
  }

  /// mean + deviation·n.
  public func sample(_ noise: Latent) -> Latent {
    guard let deviation else { return mean }
    var sample = mean
    for i in sample.values.indices {
      sample.values[i] = Float(
        Double(mean.values[i]) + Double(deviation.values[i]) * Double(noise.values[i]))
    }
    return sample
  }

  /// The latent that an edit works on.
  ///
  /// - Parameter tape: of the whole run.
  public func latent(_ choice: Choice, _ tape: any NoiseTape) throws -> Latent {
    switch choice {
    case .mean: mean
    case .sample: sample(try tape.normal(0, like: mean))
    }
  }
}
