import Editing
import Tensors
import WeightStorage

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
    /// Size of the picture that results are scaled back to, and how the working size was asked for: notes of the
    /// command.
    public var original: PixelSize?
    public var sizeOption: String?
  }
}

/// Pixels.
public struct PixelSize: Sendable, Equatable {
  public var width: Int
  public var height: Int

  public init(width: Int, height: Int) {
    self.width = width
    self.height = height
  }
}

extension SavedInversion.Origin {
  /// What `request` makes of `model`.
  init(_ request: EditRequest, _ picture: Picture, _ model: Model) throws {
    method = request.method
    modelName = ([model.name] + model.adapters).joined(separator: " with ")
    self.model = try model.identity()
    self.picture = SHA256.hex(of: picture.pixels)
    (width, height) = (request.width, request.height)
    (prompt, sourcePrompt, negativePrompt) = (request.prompt, request.sourcePrompt, request.negativePrompt)
    seed = request.seed
    generator = SeededTape.generator
  }
}

extension EditRequest {
  /// What becomes of the inversion.
  var inversionUse: InversionUse { inversion != nil ? .given : keepsInversion ? .kept : .discarded }

  /// The request with what its inversion was made with where the caller was silent.
  ///
  /// - Throws: `InversionError.differs` for the first thing that the inversion was not made for.
  func completed(for model: Model) throws -> EditRequest {
    guard var saved = inversion else { return self }
    var request = self
    let origin = saved.origin
    func require(_ same: Bool, _ what: InversionError.Difference) throws {
      if !same { throw InversionError.differs(what) }
    }
    let identity = try model.identity()
    try require(origin.model == identity, .model(made: origin.modelName))
    try require(
      (origin.width, origin.height) == (width, height),
      .size(made: "\(origin.width)×\(origin.height)", asked: "\(width)×\(height)"))
    if let picture { try require(origin.picture == SHA256.hex(of: picture.pixels), .picture) }
    try require(origin.seed == seed, .seed(made: origin.seed, asked: seed))
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
}

extension Inversion {
  /// Whether the predictions behind it point away from the negative prompt: not with a weight of 1.
  fileprivate var readsNegativePrompt: Bool {
    let weight = ["source-guidance", "inversion-guidance", "guidance"].lazy.compactMap { parameters[$0] }
      .first
    return weight.map { Double($0) != 1 } ?? true
  }

  /// Its parameters as the settings that lead to them.
  var settings: MethodSettings {
    var settings: MethodSettings = [:]
    for (name, text) in parameters {
      guard let setting = Setting(parameter: name) else { continue }
      settings[setting] = Double(text).map(SettingValue.number) ?? .word(text)
    }
    // This one is the opposite of its parameter.
    if let keeps = parameters["keep-last-noise"] { settings[.officialLastStep] = .flag(keeps == "false") }
    return settings
  }
}
