import Tensors

/// How the squared differences of a loss become one number.
public enum LossReduction: String, Sendable, Codable, CaseIterable {
  case mean, sum
}

extension Transition {
  /// How far one guided step ends from where it should, as a function of the raw output o of one of its two
  /// predictions, the other being fixed:
  ///
  ///     x' = k_x·x + k_ε·((1 − w')·ε_fixed + w'·ε),   ε = α·o + σ·x,   L = Σ (x' − y)² or its mean
  ///
  /// α = 1, σ = 0 for a network that predicts noise and a_t, s_t for one that predicts velocity. k_ε is negative, and
  /// tiny at small t: so are the gradients.
  ///
  /// - Parameters:
  ///   - fixed: the prediction that stays; nil where its share 1 − w' is 0.
  ///   - share: w', the weight of the prediction that is tuned.
  func loss(
    _ x: Latent, to y: Latent, fixed: Latent?, share: Double, _ reduction: LossReduction,
    predicting prediction: PredictionType
  ) -> SquaredLoss {
    let k = coefficients(variance: 0)
    let (output, own) =
      prediction == .epsilon ? (1.0, 0.0) : (alphaBar.squareRoot(), (1 - alphaBar).squareRoot())
    var base = [(k.x + k.eps * share * own, x), (-1, y)]
    if let fixed { base.append((k.eps * (1 - share), fixed)) }
    return SquaredLoss(
      scale: k.eps * share * output, base: .combination(base),
      weight: reduction == .mean ? 1 / Double(x.values.count) : 1)
  }
}
