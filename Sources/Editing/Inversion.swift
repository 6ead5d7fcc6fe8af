import Tensors

/// What inverting a photo leaves: enough to edit it towards further prompts without inverting it again.
///
/// Levels are those of the method's grid, counted from the clean end: state 0 is the photo, as far as the method
/// returns it; what is stored at level ℓ > 0 beside its state belongs to the transition ℓ → ℓ − 1.
public struct Inversion: Sendable, Equatable {
  /// Methods that share inversions share this name (`InvertingMethod.inversionFamily`).
  public var family: String
  /// Values of the parameters that shaped it, as `Parameter.valueText` writes them.
  public var parameters: [String: String]
  /// Noised or inverted photo, x or y.
  public var states: [Int: Latent]
  /// z, the noise with which the sampler retraces the photo.
  public var noiseMaps: [Int: Latent]
  /// ε̃ of the source prompt at the states.
  public var predictions: [Int: Latent]
  /// The region that the method found, for the target prompt it was made with.
  public var mask: Mask?
  /// Tuned embeddings, `[tokens, width]`. No method here makes or uses them yet.
  public var embeddings: [Int: HostTensor]

  public init(
    family: String, parameters: [String: String], states: [Int: Latent] = [:], noiseMaps: [Int: Latent] = [:],
    predictions: [Int: Latent] = [:], mask: Mask? = nil, embeddings: [Int: HostTensor] = [:]
  ) {
    self.family = family
    self.parameters = parameters
    self.states = states
    self.noiseMaps = noiseMaps
    self.predictions = predictions
    self.mask = mask
    self.embeddings = embeddings
  }

  public var byteCount: Int {
    var bytes = (mask?.values.count ?? 0) * 4
    for latents in [states, noiseMaps, predictions] {
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
  func noiseMap(_ level: Int) throws(EditError) -> Latent {
    guard let map = noiseMaps[level] else { throw lacks("noise map", level, noiseMaps) }
    return map
  }

  private func lacks(_ what: String, _ level: Int, _ latents: [Int: Latent]) -> EditError {
    let top = latents.keys.max().map { "reaches up to level \($0)" } ?? "has none"
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
/// Its `edit` takes an inversion to use instead of inverting, and tells the observer the one it has made.
public protocol InvertingMethod: EditingMethod {
  /// Methods of one family can use each other's inversions.
  static var inversionFamily: String { get }
  /// Names of the parameters that shape an inversion; all others may differ from edit to edit.
  var inversionParameters: Set<String> { get }
  /// What `storageBytes` says, for an edit with that inversion; one that is given is not counted.
  func storageBytes(height: Int, width: Int, channels: Int, inversion: InversionUse) -> Int
}

extension InvertingMethod {
  public static var inversionFamily: String { about.name }

  public func storageBytes(height: Int, width: Int, channels: Int = 4) -> Int {
    storageBytes(height: height, width: width, channels: channels, inversion: .discarded)
  }

  /// An inversion with the parameters of this method. What had no influence on it is left out.
  func newInversion(states: [Int: Latent] = [:], without irrelevant: Set<String> = []) -> Inversion {
    let names = inversionParameters.subtracting(irrelevant)
    let shaping = parameters.filter { names.contains($0.name) }.map { ($0.name, $0.valueText) }
    return Inversion(
      family: Self.inversionFamily, parameters: Dictionary(uniqueKeysWithValues: shaping), states: states)
  }

  /// - Throws: `EditError.inversionDoesNotFit`, or `EditError.inversionMade` naming the parameter that differs.
  public func check(_ inversion: Inversion) throws(EditError) {
    try checkFamily(inversion)
    guard inversion.embeddings.isEmpty else {
      throw .inversionDoesNotFit(
        reason: "it has tuned embeddings, of which \(name) makes no use, invert again with \(name)")
    }
    for (key, made) in inversion.parameters.sorted(by: { $0.key < $1.key }) {
      let asked = parameters.first { $0.name == key }?.valueText ?? "nothing of the kind"
      if asked != made { throw .inversionMade(with: key, made: made, asked: asked) }
    }
  }

  /// - Throws: `EditError.inversionDoesNotFit` for the inversion of another kind of method.
  public func checkFamily(_ inversion: Inversion) throws(EditError) {
    guard inversion.family == Self.inversionFamily else {
      throw .inversionDoesNotFit(
        reason: "it was made by \(inversion.family), not for \(name), edit with that method or invert again")
    }
  }
}

extension [Latent] {
  /// Latents from level 0 upwards by level.
  var byLevel: [Int: Latent] { Dictionary(uniqueKeysWithValues: enumerated().map { ($0, $1) }) }
}
