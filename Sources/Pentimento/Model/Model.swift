import Editing
import FoundationEssentials
import NeuralGraph
import Packing
import StableDiffusion
import WeightStorage

/// Files or folders that networks come from instead of the model's own.
public typealias ModelParts = [ModelPart: URL]

/// A network that may come from a file of its own. Raw values are the names of components in a diffusers folder.
public enum ModelPart: String, Sendable, CaseIterable {
  case textEncoder = "text_encoder"
  case secondTextEncoder = "text_encoder_2"
  case autoencoder = "vae"
}

/// An opened Stable Diffusion model: configurations, tokenizer, schedule and the weights of its networks, all
/// validated. Weights are read when a stage runs.
public final class Model: Sendable {
  public let name: String
  public let schedule: NoiseSchedule
  let schedulerConfiguration: SchedulerConfiguration
  /// Settings that this model works best with.
  public let defaults: ModelDefaults
  /// What the user should know about how the model was read.
  public let notes: [String]
  let files: any ModelFiles
  let unet: UNet
  let autoencoder: any LatentAutoencoder
  let textEncoders: [TextEncoderPart]
  let unetWeights: Checkpoint
  let autoencoderWeights: Checkpoint
  /// Side branches of the noise network.
  let unetAdapters: Adapters
  /// The files that were laid over the model (`adapted(by:)`), with their factors.
  public let adapters: [String]

  /// Components of the text encoders, in their order.
  static let encoderNames = ["text_encoder", "text_encoder_2"]

  /// One text encoder with what it reads.
  struct TextEncoderPart: Sendable {
    let encoder: TextEncoder
    let tokenizer: LazyTokenizer
    let weights: Checkpoint
    var adapters: Adapters = [:]
  }

  /// A folder in diffusers layout.
  ///
  /// - Throws: `WeightFileError`, `ModelError`, `TokenizerError` or `EditError`, each naming file and cause.
  public convenience init(folder url: URL) throws {
    try self.init(DiffusersFolder(path: url.path), name: url.lastPathComponent)
  }

  /// A folder in diffusers layout, or a single safetensors or GGUF file in the layout of the first publication.
  ///
  /// - Parameters:
  ///   - configuration: a folder whose configurations and tokenizers hold for a single file of unusual shapes.
  ///   - prediction: what the network predicts; nil for what the model says.
  ///   - parts: networks that come from other files or folders.
  /// - Throws: `WeightFileError`, `ModelError`, `TokenizerError` or `EditError`, each naming file and cause.
  public convenience init(
    at url: URL, configuration: URL? = nil, prediction: PredictionType? = nil, parts: ModelParts = [:]
  ) throws {
    let files = try openModel(
      path: url.path, configuration: configuration.map { try DiffusersFolder(path: $0.path) },
      prediction: prediction?.rawValue,
      parts: Dictionary(uniqueKeysWithValues: parts.map { ($0.key.rawValue, $0.value.path) }))
    try self.init(files, name: url.lastPathComponent, prediction: prediction)
  }

  private init(_ files: any ModelFiles, name: String, prediction: PredictionType? = nil) throws {
    self.files = files
    self.name = name
    notes = files.notes
    defaults = try ModelDefaults(files)

    let (unetFile, autoencoderFile) = ("unet/config.json", "vae/config.json")
    let unetConfiguration = try UNetConfiguration(json: files.data(unetFile), file: files.label(unetFile))
    textEncoders = try Self.openTextEncoders(files)
    try unetConfiguration.check(encoders: textEncoders.map(\.encoder.configuration))
    schedulerConfiguration = try Self.schedulerConfiguration(
      files, "scheduler/scheduler_config.json", prediction)
    schedule = try NoiseSchedule(schedulerConfiguration)

    unetWeights = try files.weights(of: "unet")
    guard !unetWeights.contains("time_embedding.cond_proj.weight") else {
      throw ModelError.guidanceEmbedding(file: unetWeights.label)
    }
    autoencoderWeights = try files.weights(of: "vae")
    unet = UNet(unetConfiguration)
    let stored = autoencoderWeights
    autoencoder = try StableDiffusion.autoencoder(
      describedBy: files.data(autoencoderFile), file: files.label(autoencoderFile)
    ) { try? stored.shape(of: $0) }
    (unetAdapters, adapters) = ([:], [])
    try checkWeights()
  }

  /// `base` with other weights and side branches.
  init(
    _ base: Model, textEncoders: [TextEncoderPart], unetWeights: Checkpoint, unetAdapters: Adapters,
    adapters: [String]
  ) {
    (name, schedule, defaults, notes, files) = (
      base.name, base.schedule, base.defaults, base.notes, base.files
    )
    schedulerConfiguration = base.schedulerConfiguration
    (unet, autoencoder, autoencoderWeights) = (base.unet, base.autoencoder, base.autoencoderWeights)
    (self.textEncoders, self.unetWeights) = (textEncoders, unetWeights)
    (self.unetAdapters, self.adapters) = (unetAdapters, adapters)
  }

  private static func schedulerConfiguration(
    _ files: any ModelFiles, _ name: String, _ prediction: PredictionType?
  ) throws -> SchedulerConfiguration {
    do {
      var configuration = try JSONDecoder().decode(SchedulerConfiguration.self, from: files.data(name))
      configuration.predictionType = prediction?.rawValue ?? configuration.predictionType
      return configuration
    } catch let error as DecodingError {
      throw ModelError(error, file: files.label(name))
    }
  }

  private static func openTextEncoders(_ files: any ModelFiles) throws -> [TextEncoderPart] {
    let suffixes = files.has("text_encoder_2") ? ["", "_2"] : [""]
    return try suffixes.map { suffix in
      let encoder = "text_encoder\(suffix)"
      let weights = try files.weights(of: encoder)
      let tokenizer = LazyTokenizer { try Tokenizer(tokenizerFiles(files, "tokenizer\(suffix)")) }
      // A container was written from a sound one.
      if !(files is ContainerModel) { _ = try tokenizer() }
      return TextEncoderPart(
        encoder: TextEncoder(
          try TextEncoderConfiguration(
            json: files.data("\(encoder)/config.json"), file: files.label("\(encoder)/config.json")),
          prefix: TextEncoder.prefix(ofNames: weights.names)),
        tokenizer: tokenizer, weights: weights)
    }
  }

  static func tokenizerFiles(_ files: any ModelFiles, _ folder: String) throws -> TokenizerFiles {
    func optional(_ name: String) throws -> Data? {
      files.contains("\(folder)/\(name)") ? try files.data("\(folder)/\(name)") : nil
    }
    let isPublished = files.usesPublishedVocabulary && !files.contains("\(folder)/merges.txt")
    return try TokenizerFiles(
      vocabulary: isPublished || files.mayOmitVocabulary
        ? optional("vocab.json") : files.data("\(folder)/vocab.json"),
      merges: isPublished ? ModelLocation.publishedMerges() : files.data("\(folder)/merges.txt"),
      specialTokensMap: optional("special_tokens_map.json"),
      configuration: optional("tokenizer_config.json"))
  }

  /// Every tensor that a network reads has to be there in its shape and in a floating-point format.
  ///
  /// Where names were translated, every tensor has to be read.
  private func checkWeights() throws {
    let stages = Stages(model: self, threads: 1, budget: nil)
    let side = sizeMultiple
    var parts = try textEncoders.indices.map { i in
      (textEncoders[i].weights, [try stages.textEncoder(i)])
    }
    parts.append((unetWeights, [try stages.noise(width: side, height: side)]))
    let coders = try [
      stages.encoder(width: side, height: side), stages.decoder(width: side, height: side),
    ]
    parts.append((autoencoderWeights, coders))
    for (weights, stages) in parts {
      let read = stages.flatMap(\.graph.weights)
      for weight in read {
        let tensor = try weights.tensor(weight.name, shape: weight.shape)
        let used = weight.type(storedAs: try weights.element(of: weight.name))
        // What is mapped is computed from as it lies.
        guard try weights.address(of: weight.name) != nil,
          tensor.layout != used.layout || tensor.element != StoredElement(used.element)
            || used.element == .s8 && used.layout != .panels
        else { continue }
        throw WeightFileError.badContainer(
          file: weights.label,
          reason:
            "tensor \(weight.name) is \(tensor.element.rawValue)\(tensor.layout == .panels ? " panels" : "") "
            + "where the network reads \(StoredElement(used.element).rawValue)"
            + (used.layout == .panels ? " panels" : ""))
      }
      guard weights.isTranslated else { continue }
      if let unread = Set(weights.names).subtracting(read.map(\.name)).min() {
        throw WeightFileError.unknownTensor(
          file: weights.label, tensor: weights.ownName(of: unread))
      }
    }
  }

  /// What people call models of this kind.
  public var family: String {
    switch (textEncoders.count, unet.configuration.contextWidth) {
    case (2, _): "Stable Diffusion XL"
    case (_, 768): "Stable Diffusion 1"
    case (_, 1024): "Stable Diffusion 2"
    default: "Stable Diffusion, of another size"
    }
  }

  /// Side, in pixels, of the square pictures that the model was trained on.
  public var nativeSize: Int { unet.configuration.sampleSize * AutoencoderConfiguration.pixelsPerLatent }

  /// Both sides of a working picture are multiples of this many pixels.
  public var sizeMultiple: Int {
    AutoencoderConfiguration.pixelsPerLatent << (unet.configuration.down.count - 1)
  }

  /// Tokens of a prompt, begin and end marks included.
  var tokens: Int { textEncoders[0].encoder.configuration.tokens }

  /// Whether an error says that the model itself cannot be used.
  public static func isModelError(_ error: any Error) -> Bool {
    switch error {
    case EditError.unsupportedSchedule, EditError.unsupportedPrediction, EditError.unsupportedScheduler,
      EditError.unsupportedSampler:
      true
    default: error is WeightFileError || error is ModelError || error is LoRAError || error is TokenizerError
    }
  }
}
