import Tensors

/// Classifier-free guidance (Ho & Salimans 2022, eq. 6 with w counted from 0):
///
///     ε̃ = ε(∅) + w·(ε(c) − ε(∅))
///
/// w = 0 evaluates only the unconditional and w = 1 only the conditional prediction.
package struct Guidance: Sendable, Equatable, ExpressibleByFloatLiteral {
  package var scale: Double

  package init(_ scale: Double) { self.scale = scale }
  package init(floatLiteral value: Double) { scale = value }

  /// Network evaluations of one guided prediction: 1 or 2.
  package var evaluations: Int { scale == 0 || scale == 1 ? 1 : 2 }

  /// What has to be asked, in the order [unconditional, conditional].
  package func queries(
    _ latent: Latent, timestep: Int, _ condition: Condition, over unconditional: Condition,
    levelAlphaBar: Double? = nil
  ) -> [NoiseQuery] {
    let conditions: [Condition]
    switch scale {
    case 0: conditions = [unconditional]
    case 1: conditions = [condition]
    default: conditions = [unconditional, condition]
    }
    return conditions.map {
      NoiseQuery(latent, timestep: timestep, $0, levelAlphaBar: levelAlphaBar)
    }
  }

  /// ε̃ from the answers to `queries`.
  package func combine(_ answers: some Collection<Latent>) -> Latent {
    precondition(answers.count == evaluations, "\(answers.count) answers for \(evaluations) queries")
    let answers = Array(answers)
    guard evaluations == 2 else { return answers[0] }
    return combine(unconditional: answers[0], conditional: answers[1])
  }

  /// Written as a difference, so that equal predictions come back bit for bit.
  func combine(unconditional u: Latent, conditional c: Latent) -> Latent {
    u.zip(c) { u, c in Float(Double(u) + scale * (Double(c) - Double(u))) }
  }
}

/// A guided prediction that a method asks for.
package struct GuidedQuery: Sendable {
  package var latent: Latent
  package var timestep: Int
  package var condition: Condition
  package var guidance: Guidance
  /// What the guidance points away from; nil: the model's condition of the empty prompt.
  package var unconditional: Condition?
  /// See `NoiseQuery.levelAlphaBar`.
  package var levelAlphaBar: Double?
  /// See `NoiseQuery.adapterScale`.
  package var adapterScale = 1.0
  /// See `NoiseQuery.toldGuidance`.
  package var toldGuidance: Double?

  package init(
    _ latent: Latent, timestep: Int, _ condition: Condition, _ guidance: Guidance,
    over unconditional: Condition? = nil, levelAlphaBar: Double? = nil, adapterScale: Double = 1,
    telling toldGuidance: Double? = nil
  ) {
    self.latent = latent
    self.timestep = timestep
    self.condition = condition
    self.guidance = guidance
    self.unconditional = unconditional
    self.levelAlphaBar = levelAlphaBar
    self.adapterScale = adapterScale
    self.toldGuidance = toldGuidance
  }
}
