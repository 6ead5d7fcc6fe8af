/// One semantic direction of an edit: what to add or remove, how strongly, and during which steps.
/// Its text is given beside it, as a condition.
public struct Concept: Sendable, Equatable, Codable {
  public enum Direction: Int, Sendable, Codable {
    case add = 1
    case remove = -1
  }

  /// S.
  public var scale: Double
  public var direction: Direction
  /// First executed step at which the concept acts.
  public var warmup: Int
  /// First executed step at which it no longer acts; nil: it acts to the end.
  public var cooldown: Int?
  /// λ: the part of the latent that is left alone.
  public var threshold: Double
  /// ω: share among concepts.
  public var weight: Double

  public init(
    scale: Double, direction: Direction = .add, warmup: Int, cooldown: Int? = nil, threshold: Double,
    weight: Double = 1
  ) {
    self.scale = scale
    self.direction = direction
    self.warmup = warmup
    self.cooldown = cooldown
    self.threshold = threshold
    self.weight = weight
  }

  /// Defaults of the LEDITS demo, and its presets.
  public static let ledits = Concept(scale: 7, warmup: 2, threshold: 0.95)
  public static let style = Concept(scale: 8, warmup: 2, threshold: 0.92)
  public static let face = Concept(scale: 5, warmup: 2, threshold: 0.95)
  public static let object = Concept(scale: 15, warmup: 5, threshold: 0.95)
  /// Defaults of SEGA without a photo.
  public static let sega = Concept(scale: 5, warmup: 10, threshold: 0.9)
  public static let leditsPlusPlus = Concept(scale: 5, warmup: 0, threshold: 0.9)

  /// S with the sign of the direction.
  var signedScale: Double { Double(direction.rawValue) * scale }
  func isCooledDown(at step: Int) -> Bool { cooldown.map { step >= $0 } ?? false }

  var parameters: [Parameter] {
    [
      Parameter("concept-scale", scale, .any, "strength of a concept"),
      Parameter("concept-warmup", warmup, .atLeast(0), "first step at which a concept acts"),
      Parameter(
        "concept-cooldown", cooldown.map(Double.init), orDerived: "never", .atLeast(0),
        "first step at which it no longer acts"),
      Parameter("concept-threshold", threshold, .unit, "part of the picture that a concept leaves alone"),
      Parameter("concept-weight", weight, .any, "share of a concept among several"),
    ]
  }
}

extension [Concept] {
  /// Parameters of every concept, or of `standard` where there is none yet.
  func parameters(standard: Concept) -> [Parameter] { (isEmpty ? [standard] : self).flatMap(\.parameters) }

  func check(against conditions: Int, method: String) throws(EditError) {
    guard count == conditions else {
      throw .conceptCount(method: method, settings: count, conditions: conditions)
    }
  }
}

/// The value below which the part `q` of the values lies, interpolated linearly between neighbours in order:
/// position q·(n − 1).
package func quantile(_ values: [Double], _ q: Double) -> Double {
  let sorted = values.sorted()
  let position = q * Double(sorted.count - 1)
  let low = Int(position.rounded(.down))
  let high = min(low + 1, sorted.count - 1)
  return sorted[low] + (position - Double(low)) * (sorted[high] - sorted[low])
}
