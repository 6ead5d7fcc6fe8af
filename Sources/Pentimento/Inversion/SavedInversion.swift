import Editing
import Files
import Pictures
import Tensors

/// An inversion together with what it was made from, so that it is used for nothing else.
public struct SavedInversion: Sendable, Equatable {
  public var inversion: Inversion
  public var origin: Origin

  /// Everything beside the method's own parameters that an inversion depends on, and what its next user needs to
  /// know.
  public struct Origin: Sendable, Equatable {
    /// The method of the edit that made it; others of its family can use it too.
    public var method: String
    /// For people.
    public var modelName: String
    /// `Model.identity`.
    public var model: String
    /// SHA-256 of the working picture's pixels.
    public var picture: String
    /// Working size in pixels.
    public var width: Int
    public var height: Int
    /// What the edit that made it was to show; a mask that was found holds for it alone.
    public var prompt: String?
    public var sourcePrompt: String?
    public var negativePrompt: String?
    public var seed: UInt64
    public var generator: String
    /// Size of the picture that results are scaled back to, and how the working size was asked for.
    public var original: Extent?
    public var sizeOption: String?
    /// The latent of the picture that was inverted.
    public var posterior = Posterior.Choice.mean
    /// How its prompts were read.
    public var promptSyntax = PromptSyntax.plain
  }
}

extension SavedInversion.Origin {
  /// What a job makes of a picture at its working size.
  ///
  /// - Parameter identity: hash of the model.
  init(_ job: EditJob, _ picture: Picture, identity: String) {
    let (model, request) = (job.editor.model, job.request)
    method = job.methodName
    modelName = ([model.name] + model.adapters).joined(separator: " with ")
    self.model = identity
    self.picture = SHA256.hex(of: picture.pixels)
    (width, height) = (picture.width, picture.height)
    (prompt, sourcePrompt, negativePrompt) = (request.prompt, request.sourcePrompt, request.negativePrompt)
    seed = job.seed
    generator = SeededTape.generator
    original = job.pictures.geometry.picture
    sizeOption = request.size?.text
    posterior = request.posterior
    promptSyntax = request.syntax
  }

  /// Size of the picture that it was made from.
  var pictureExtent: Extent { original ?? Extent(width: width, height: height) }
}

extension SavedInversion {
  /// - Parameter picture: at its working size; nil for none, which is right for every inversion.
  /// - Throws: `InversionError.differs` for a picture that it was not made from.
  func check(_ picture: Picture?) throws(InversionError) {
    guard let picture, origin.picture != SHA256.hex(of: picture.pixels) else { return }
    throw .differs(.picture)
  }
}

extension EditRequest {
  /// The request with what its inversion was made with where the caller was silent.
  ///
  /// - Parameter identity: hash of the model, asked for where there is an inversion.
  /// - Throws: `InversionError.differs` for the first thing that the inversion was not made for.
  func completed(identity: () throws -> String) throws -> EditRequest {
    guard var saved = inversion else { return self }
    var request = self
    let origin = saved.origin
    func require(_ same: Bool, _ what: InversionError.Difference) throws {
      if !same { throw InversionError.differs(what) }
    }
    try require(try origin.model == identity(), .model(made: origin.modelName))
    if let seed { try require(origin.seed == seed, .seed(made: origin.seed, asked: seed)) }
    request.seed = origin.seed
    if let asked = posteriorChoice {
      try require(origin.posterior == asked, .posterior(made: origin.posterior, asked: asked))
    }
    request.posteriorChoice = origin.posterior
    request.promptSyntax = promptSyntax ?? origin.promptSyntax
    try require(origin.generator == SeededTape.generator, .generator(made: origin.generator))

    if let sourcePrompt {
      let made = origin.sourcePrompt ?? ""
      try require(made == sourcePrompt, .sourcePrompt(made: made, asked: sourcePrompt))
    }
    request.sourcePrompt = origin.sourcePrompt
    if saved.inversion.readsNegativePrompt {
      if let negativePrompt {
        let made = origin.negativePrompt ?? ""
        try require(made == negativePrompt, .negativePrompt(made: made, asked: negativePrompt))
      }
      request.negativePrompt = origin.negativePrompt
    }
    // Another result is changed elsewhere.
    if origin.prompt != prompt { saved.inversion.mask = nil }
    request.inversion = saved
    return request
  }

  /// - Throws: `InversionError.differs` where the edit would work at another size than its inversion was made at.
  func checkSize(_ geometry: Geometry) throws(InversionError) {
    guard let origin = inversion?.origin else { return }
    let made = Extent(width: origin.width, height: origin.height)
    guard made != geometry.padded else { return }
    throw .differs(.size(made: "\(made)", asked: "\(geometry.padded)"))
  }
}

extension Inversion {
  /// Whether the predictions behind it point away from the negative prompt: not with a weight of 1. Embeddings were
  /// tuned beside its prediction or from its own embedding.
  var readsNegativePrompt: Bool {
    guard embeddings.isEmpty else { return true }
    let weight = parameters["source-cfg-scale"] ?? parameters["cfg-scale"]
    return weight.map { Double($0) != 1 } ?? true
  }

  /// Its parameters as the settings that lead to them.
  var settings: MethodSettings {
    let known = EditMethods.all.options
    return parameters.filter { known.contains($0.key) }.mapValues(SettingValue.init(parsing:))
  }
}
