import Tensors

/// What a method works on: the outline of the edit, and what became of it on the way to the latent space.
public struct EditInputs: Sendable {
  public var outline: EditOutline
  /// Latent of the picture (posterior mean), multiplied by the model's scale; nil for text-to-image.
  public var source: Latent?
  /// Of the outline's prompts.
  public var targetCondition: Condition?
  public var sourceCondition: Condition?
  /// Of the empty prompt, or of the negative one where there is one, encoded where the model takes zeros for it too;
  /// nil: the diffusion's own.
  public var encodedEmpty: Condition?
  /// Of the outline's concepts, in order.
  public var conceptConditions: [Condition] = []
  /// 1 = editable; the size of the latent.
  public var mask: Mask?
  /// To be used instead of inverting the source.
  public var inversion: Inversion?
  /// Cells of the latent.
  public var height: Int
  public var width: Int
  public var channels: Int

  public init(_ outline: EditOutline = EditOutline(), height: Int, width: Int, channels: Int = 4) {
    self.outline = outline
    self.height = height
    self.width = width
    self.channels = channels
  }

  // MARK: What a method cannot do without

  /// - Throws: `EditError.missing`.
  func photo(for method: String) throws(EditError) -> Latent {
    guard let source else { throw .missing(method: method, need: "a picture") }
    return source
  }
  /// - Throws: `EditError.missing`.
  func target(for method: String) throws(EditError) -> Condition {
    guard let targetCondition else { throw .missing(method: method, need: "a prompt") }
    return targetCondition
  }
  /// - Throws: `EditError.missing`.
  func reference(for method: String) throws(EditError) -> Condition {
    guard let sourceCondition else { throw .missing(method: method, need: "a source prompt") }
    return sourceCondition
  }

  /// What the photo shows, nil for the empty prompt, which halves the evaluations of an inversion.
  var referenceIfAny: Condition? { outline.hasSourceText ? sourceCondition : nil }
}

/// What a method runs with.
public struct EditContext: Sendable {
  public var diffusion: Diffusion
  /// The network's derivative, for methods that tune what it is told.
  public var derivative: (any NoiseDerivative)?
  /// For the method that translates in one pass.
  public var translator: (any LatentTranslator)?
  /// Pictures to latents and back, for methods that look at pixels on their way.
  public var codec: (any LatentCodec)?
  public var tape: any NoiseTape
  public var observer: EditObserver
  public var journal: any EditJournal

  public init(
    diffusion: Diffusion, codec: (any LatentCodec)? = nil, tape: any NoiseTape,
    observer: EditObserver = .none,
    journal: any EditJournal = NoJournal()
  ) {
    self.diffusion = diffusion
    self.codec = codec
    self.tape = tape
    self.observer = observer
    self.journal = journal
  }
}
