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

  /// What a concept is where its own text says nothing.
  static let parameters: [Parameter<Concept>] = [
    Parameter("concept-scale", \.scale, .any, "strength where a concept does not say its own").ofConcept,
    Parameter("concept-warmup", \.warmup, .atLeast(0), "first step at which a concept acts").ofConcept,
    Parameter(
      "concept-cooldown", \.cooldown, orDerived: "never", .atLeast(0), "first step at which it no longer acts"
    ).ofConcept,
    Parameter("concept-threshold", \.threshold, .unit, "part of the picture that a concept leaves alone")
      .ofConcept,
    Parameter("concept-weight", \.weight, .any, "share of a concept among several").fixed.ofConcept,
  ]
}

/// A method that concepts steer.
package protocol ConceptMethod: EditingMethod {
  /// What a concept is where its own text says nothing.
  var concept: Concept { get set }
  /// Those of the edit at hand, which are no setting.
  var concepts: [Concept] { get set }
}

extension ConceptMethod {
  /// The method with one concept of an edit in the place of the standard.
  func with(_ request: ConceptRequest) -> Self {
    var method = self
    method.concept = request.concept(standard: concept)
    return method
  }

  /// The method with the concepts of an edit.
  func with(conceptsOf outline: EditOutline) -> Self {
    var method = self
    method.concepts = outline.concepts.map { $0.concept(standard: concept) }
    return method
  }

  /// What is taken away leaves a gap that the network fills as it likes.
  func warnOfRemoval(_ outline: EditOutline, _ observer: EditObserver) {
    guard !outline.hasTargetText, !concepts.isEmpty, concepts.allSatisfy({ $0.direction == .remove }) else {
      return
    }
    observer.warn(
      "Nothing says what shall come in the place of what is removed, often another object does: add a concept or a "
        + "prompt for it, or repaint the place with inpaint and a mask.")
  }
}

extension [Concept] {
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
