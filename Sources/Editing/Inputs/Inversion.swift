import Tensors

/// What inverting a photo leaves: enough to edit it towards further prompts without inverting it again.
///
/// Levels are those of the method's grid, counted from the clean end: state 0 is the photo, as far as the method
/// returns it; what is stored at level ℓ > 0 beside its state belongs to the transition ℓ → ℓ − 1.
public struct Inversion: Sendable, Equatable {
  /// Methods that share inversions share this name (`InvertingMethod.inversionFamily`).
  public var family: String
  /// Values of the parameters that shaped it, by option, as `ParameterValue.text` writes them.
  public var parameters: [String: String]
  /// Noised or inverted photo, x or y.
  public var states: [Int: Latent]
  /// δ, what the sampler's mean misses the photo's state by; not divided by its noise, which may be 0.
  public var residuals: [Int: Latent]
  /// ε̃ of the source prompt at the states.
  public var predictions: [Int: Latent]
  /// The region that the method found, for the target prompt it was made with.
  public var mask: Mask?
  /// Tuned embeddings, `[tokens, width]`.
  public var embeddings: [Int: HostTensor]
  /// Pooled vector of the condition that tuning started from, `[1, width]`, of models that are told one.
  public var pooled: HostTensor?

  public init(
    family: String, parameters: [String: String], states: [Int: Latent] = [:], residuals: [Int: Latent] = [:],
    predictions: [Int: Latent] = [:], mask: Mask? = nil, embeddings: [Int: HostTensor] = [:],
    pooled: HostTensor? = nil
  ) {
    self.family = family
    self.parameters = parameters
    self.states = states
    self.residuals = residuals
    self.predictions = predictions
    self.mask = mask
    self.embeddings = embeddings
    self.pooled = pooled
  }

  public var byteCount: Int {
    var bytes = ((mask?.values.count ?? 0) + (pooled?.count ?? 0)) * 4
    for latents in [states, residuals, predictions] {
      for latent in latents.values { bytes += latent.byteCount }
    }
    for embedding in embeddings.values { bytes += embedding.count * 4 }
    return bytes
  }

  /// - Throws: `EditError.inversionDoesNotFit` where it does not reach that level.
  func state(_ level: Int) throws(EditError) -> Latent {
    guard let state = states[level] else { throw lacks("state", level, states) }
    return state
  }

  /// - Throws: `EditError.inversionDoesNotFit` where it does not reach that level.
  func residual(_ level: Int) throws(EditError) -> Latent {
    guard let residual = residuals[level] else { throw lacks("residual", level, residuals) }
    return residual
  }

  /// - Parameter context: of the target prompt, whose shape it must have.
  /// - Throws: `EditError.inversionDoesNotFit` where it does not reach that level or is of another model.
  func embedding(_ level: Int, like context: HostTensor) throws(EditError) -> HostTensor {
    guard let embedding = embeddings[level] else { throw lacks("embedding", level, embeddings) }
    guard embedding.shape == context.shape else {
      throw .inversionDoesNotFit(
        reason: "its embeddings are of \(embedding.shape) and the model's of \(context.shape), invert again")
    }
    return embedding
  }

  private func lacks(_ what: String, _ level: Int, _ levels: [Int: some Any]) -> EditError {
    let top = levels.keys.max().map { "reaches up to level \($0)" } ?? "has none"
    return .inversionDoesNotFit(
      reason: "the edit starts with the \(what) of level \(level) and the inversion \(top), "
        + "run a smaller part of the schedule, or invert again")
  }
}

/// What becomes of an edit's inversion.
public enum InversionUse: String, Sendable, Codable {
  /// It serves this edit alone.
  case discarded
  /// It is made in full and kept.
  case kept
  /// It was made before.
  case given
}

/// A method whose first half, the inversion of the photo, can be kept and used for further prompts.
///
/// Its `run` takes an inversion to use instead of inverting, and tells the observer the one it has made. Rows with
/// `shapesInversion` say which parameters it depends on; all others may differ from edit to edit.
public protocol InvertingMethod: EditingMethod {
  /// Methods of one family can use each other's inversions.
  static var inversionFamily: String { get }
  /// Whether its inversions have tuned embeddings.
  static var usesEmbeddings: Bool { get }
}

extension InvertingMethod {
  public static var inversionFamily: String { about.name }
  public static var usesEmbeddings: Bool { false }

  /// An inversion with the parameters of this method that had an influence on it.
  func newInversion(_ outline: EditOutline, states: [Int: Latent] = [:]) -> Inversion {
    let shaping = Self.parameters
      .filter { $0.shapesInversion(of: self) && $0.whyIdle(in: self, outline) == nil }
      .map { ($0.option, $0.value(in: self).text) }
    return Inversion(
      family: Self.inversionFamily, parameters: Dictionary(uniqueKeysWithValues: shaping), states: states)
  }

  /// - Throws: `EditError.inversionDoesNotFit`, or `EditError.inversionMade` naming the parameter that differs.
  package func check(_ inversion: Inversion) throws(EditError) {
    try Self.checkFamily(inversion)
    guard inversion.embeddings.isEmpty || Self.usesEmbeddings else {
      throw .inversionDoesNotFit(
        reason: "it has tuned embeddings, of which \(name) makes no use, invert again with \(name)")
    }
    for (key, made) in inversion.parameters.sorted(by: { $0.key < $1.key }) {
      let row = Self.parameters.first { $0.option == key }
      let asked = row?.value(in: self).text ?? "nothing of the kind"
      if asked != made { throw .inversionMade(with: key, made: made, asked: asked) }
    }
  }

  /// - Throws: `EditError.inversionDoesNotFit` for the inversion of another kind of method.
  package static func checkFamily(_ inversion: Inversion) throws(EditError) {
    guard inversion.family == inversionFamily else {
      throw .inversionDoesNotFit(
        reason: "it was made by \(inversion.family), not for \(name), edit with that method or invert again")
    }
  }
}

extension [Latent] {
  /// Latents from level 0 upwards by level.
  var byLevel: [Int: Latent] { Dictionary(uniqueKeysWithValues: enumerated().map { ($0, $1) }) }
}
