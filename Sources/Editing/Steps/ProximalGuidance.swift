import Tensors

/// What keeps of a guided difference only what is large, so that guidance acts where the prompts disagree
/// (Han et al. 2024, proximal guidance).
///
///     λ   the q-quantile of all |d| and as many zeros
///     soft   d ← sign(d)·max(|d| − λ, 0)       hard   d ← d where |d| > λ, else 0
///
/// The zeros are the source prompt's row of the released code, which takes the quantile over both: q = 0.75 is the
/// median of |d|. Its "l0" is what is soft here; hard is the operator of that name.
public enum Proximity: String, Sendable, Codable, CaseIterable {
  case none, soft, hard

  /// The shrunk difference, and whether each of its values is over λ.
  package func shrunk(_ d: [Double], quantile q: Double) -> (difference: [Double], isLarge: [Bool]) {
    let threshold = quantile([Double](repeating: 0, count: d.count) + d.map(abs), q)
    let shrunk = d.map { d -> Double in
      switch self {
      case .none: d
      case .soft: d > threshold ? d - threshold : d < -threshold ? d + threshold : 0
      case .hard: abs(d) > threshold ? d : 0
      }
    }
    return (shrunk, shrunk.map { abs($0) > threshold })
  }
}

extension Latent {
  /// 1 where a value within `radius` rows and columns of the same channel is marked, else 0.
  ///
  /// - Parameter marks: of the values of this latent.
  package func dilated(_ marks: [Bool], by radius: Int) -> Latent {
    var out = Latent(like: self, values: [Float](repeating: 0, count: values.count))
    for y in 0..<height {
      for x in 0..<width {
        for c in 0..<channels where marks[(y * width + x) * channels + c] {
          for near in max(0, y - radius)...min(height - 1, y + radius) {
            for beside in max(0, x - radius)...min(width - 1, x + radius) { out[near, beside, c] = 1 }
          }
        }
      }
    }
    return out
  }
}
