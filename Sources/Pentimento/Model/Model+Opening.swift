import Editing
import FoundationEssentials
import JSON
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

/// What a user says of a model, whatever its files say; nil leaves it to them.
public struct ModelHints: Sendable, Equatable {
  /// What the network predicts.
  public var prediction: PredictionType?
  /// Which timesteps it was trained or distilled for.
  public var spacing: NoiseSchedule.Spacing?
  /// It is sampled as a latent consistency model.
  public var isConsistency = false

  public init(
    prediction: PredictionType? = nil, spacing: NoiseSchedule.Spacing? = nil, isConsistency: Bool = false
  ) {
    (self.prediction, self.spacing, self.isConsistency) = (prediction, spacing, isConsistency)
  }
}

extension Model {
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
  ///   - told: what the user knows better.
  ///   - parts: networks that come from other files or folders.
  /// - Throws: `WeightFileError`, `ModelError`, `TokenizerError` or `EditError`, each naming file and cause.
  public convenience init(
    at url: URL, configuration: URL? = nil, told: ModelHints = ModelHints(), parts: ModelParts = [:]
  ) throws {
    let files = try openModel(
      path: url.path, configuration: configuration.map { try DiffusersFolder(path: $0.path) },
      prediction: told.prediction?.rawValue, spacing: told.spacing?.rawValue,
      parts: Dictionary(uniqueKeysWithValues: parts.map { ($0.key.rawValue, $0.value.path) }))
    try self.init(files, name: url.lastPathComponent, told: told)
  }

  /// The model that comes with the library, or the one that `PENTIMENTO_MODEL` names (`ModelLocation`).
  ///
  /// - Throws: `ModelLocationError.notFound`; what opening a model throws.
  public static func embedded() throws -> Model { try Model(at: ModelLocation.find(nil)) }

  /// What a model's files describe, read and understood, before its weights are looked at.
  struct Parts {
    let textEncoders: [(part: TextEncoderPart, weights: Checkpoint)]
    let unet: UNet
    let autoencoder: any LatentAutoencoder
    let schedule: NoiseSchedule
    let schedulerConfiguration: SchedulerConfiguration
    private let unetWeights: Checkpoint
    private let autoencoderWeights: Checkpoint

    init(_ files: any ModelFiles, _ told: ModelHints) throws {
      let (unetFile, autoencoderFile) = ("unet/config.json", "vae/config.json")
      let configuration = try UNetConfiguration(json: files.data(unetFile), file: files.label(unetFile))
      textEncoders = try Self.textEncoders(files)
      try configuration.check(encoders: textEncoders.map(\.part.encoder.configuration))
      schedulerConfiguration = try Self.scheduler(files, "scheduler/scheduler_config.json", told)
      schedule = try NoiseSchedule(schedulerConfiguration)

      unetWeights = try files.weights(of: "unet")
      let guidance = "time_embedding.cond_proj.weight"
      guard configuration.guidanceSinusoid != nil || !unetWeights.contains(guidance) else {
        throw ModelError.inconsistent(
          file: files.label(unetFile), field: "time_cond_proj_dim",
          reason: "is not there, and \(unetWeights.label) has the layer that it describes (\(guidance))")
      }
      unet = UNet(configuration)
      let stored = try files.weights(of: "vae")
      autoencoderWeights = stored
      autoencoder = try StableDiffusion.autoencoder(
        describedBy: files.data(autoencoderFile), file: files.label(autoencoderFile)
      ) { try? stored.shape(of: $0) }
    }

    /// The rows of the model, validated.
    func components() throws -> [Component] {
      let tokens = textEncoders[0].part.encoder.configuration.tokens
      return try textEncoders.map { part, weights in
        try Component(
          part.component, [TextNetwork(encoder: part.encoder)], .init(part.encoder.configuration), in: weights
        )
      } + [
        Component(
          "unet",
          [DenoisingNetwork(unet: unet, tokens: tokens, pixelsPerLatent: autoencoder.pixelsPerLatent)],
          .init(unet.configuration, schedule, schedulerConfiguration.complete), in: unetWeights),
        Component(
          "vae", [EncodingNetwork(autoencoder: autoencoder), DecodingNetwork(autoencoder: autoencoder)],
          .init(autoencoder), in: autoencoderWeights),
      ]
    }

    private static func textEncoders(
      _ files: any ModelFiles
    ) throws -> [(part: TextEncoderPart, weights: Checkpoint)] {
      let components = ["text_encoder"] + (files.has("text_encoder_2") ? ["text_encoder_2"] : [])
      return try components.map { component in
        let weights = try files.weights(of: component)
        let tokenizer = LazyTokenizer {
          try Tokenizer(tokenizerFiles(files, Component.tokenizer(of: component)))
        }
        // A container was written from a sound one.
        if !(files is ContainerModel) { _ = try tokenizer() }
        let file = "\(component)/config.json"
        let encoder = TextEncoder(
          try TextEncoderConfiguration(json: files.data(file), file: files.label(file)),
          prefix: TextEncoder.prefix(ofNames: weights.names))
        return (TextEncoderPart(component: component, encoder: encoder, tokenizer: tokenizer), weights)
      }
    }

    private static func scheduler(
      _ files: any ModelFiles, _ name: String, _ told: ModelHints
    ) throws -> SchedulerConfiguration {
      let (label, bytes) = (files.label(name), Array(try files.data(name)))
      guard let json = try? ConfigValue(parsing: bytes, file: label), json.isObject else {
        throw ModelError.unreadable(file: label)
      }
      var configuration = try SchedulerConfiguration(json)
      configuration.predictionType = told.prediction?.rawValue ?? configuration.predictionType
      configuration.timestepSpacing = told.spacing?.rawValue ?? configuration.timestepSpacing
      if told.isConsistency {
        _ = try NoiseSchedule(configuration)  // a sampler that is refused stays refused
        configuration.className = SchedulerConfiguration.consistencySampler
      }
      return configuration
    }
  }

  static func tokenizerFiles(_ files: any ModelFiles, _ folder: String) throws -> TokenizerFiles {
    func optional(_ name: String) throws -> Data? {
      files.contains("\(folder)/\(name)") ? try files.data("\(folder)/\(name)") : nil
    }
    if !files.contains("\(folder)/merges.txt"), let json = try optional("tokenizer.json") {
      return try TokenizerFiles(
        json: json, specialTokensMap: optional("special_tokens_map.json"),
        configuration: optional("tokenizer_config.json"))
    }
    let isPublished = files.usesPublishedVocabulary && !files.contains("\(folder)/merges.txt")
    return try TokenizerFiles(
      vocabulary: isPublished || files.mayOmitVocabulary
        ? optional("vocab.json") : files.data("\(folder)/vocab.json"),
      merges: isPublished ? ModelLocation.publishedMerges() : files.data("\(folder)/merges.txt"),
      specialTokensMap: optional("special_tokens_map.json"),
      configuration: optional("tokenizer_config.json"))
  }
}
