import Editing
import FoundationEssentials
import NeuralGraph
import Packing
import StableDiffusion
import WeightStorage

/// An opened Stable Diffusion model: configurations, tokenizer, schedule and the weights of its networks, all
/// validated. Weights are read when a stage runs.
public final class Model: Sendable {
  public let name: String
  public let schedule: NoiseSchedule
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

  /// One text encoder with what it reads.
  struct TextEncoderPart: Sendable {
    let encoder: TextEncoder
    let tokenizer: Tokenizer
    let weights: Checkpoint
    var adapters: Adapters = [:]
  }

  /// A folder in diffusers layout.
  ///
  /// - Throws: `WeightFileError`, `ModelError`, `TokenizerError` or `EditError`, each naming file and cause.
  public convenience init(folder url: URL) throws {
    try self.init(DiffusersFolder(path: url.path), name: url.lastPathComponent)
  }

  /// A folder in diffusers layout, or a single safetensors file in the layout of the first publication.
  ///
  /// - Parameters:
  ///   - configuration: a folder whose configurations and tokenizers hold for a single file of unusual shapes.
  ///   - prediction: what the network predicts; nil for what the model says.
  /// - Throws: `WeightFileError`, `ModelError`, `TokenizerError` or `EditError`, each naming file and cause.
  public convenience init(
    at url: URL, configuration: URL? = nil, prediction: PredictionType? = nil
  ) throws {
    var isFolder = true
    _ = FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
    let files: any ModelFiles =
      if isFolder {
        try DiffusersFolder(path: url.path)
      } else {
        try SingleFileModel(
          path: url.path, configuration: configuration.map { try DiffusersFolder(path: $0.path) },
          prediction: prediction?.rawValue)
      }
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
    schedule = try Self.schedule(files, "scheduler/scheduler_config.json", prediction)

    unetWeights = try files.weights(of: "unet")
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
    (unet, autoencoder, autoencoderWeights) = (base.unet, base.autoencoder, base.autoencoderWeights)
    (self.textEncoders, self.unetWeights) = (textEncoders, unetWeights)
    (self.unetAdapters, self.adapters) = (unetAdapters, adapters)
  }

  private static func schedule(
    _ files: any ModelFiles, _ name: String, _ prediction: PredictionType?
  ) throws -> NoiseSchedule {
    do {
      var configuration = try JSONDecoder().decode(SchedulerConfiguration.self, from: files.data(name))
      configuration.predictionType = prediction?.rawValue ?? configuration.predictionType
      return try NoiseSchedule(configuration)
    } catch let error as DecodingError {
      throw ModelError(error, file: files.label(name))
    }
  }

  private static func openTextEncoders(_ files: any ModelFiles) throws -> [TextEncoderPart] {
    let suffixes = files.has("text_encoder_2") ? ["", "_2"] : [""]
    return try suffixes.map { suffix in
      let encoder = "text_encoder\(suffix)"
      let weights = try files.weights(of: encoder)
      return TextEncoderPart(
        encoder: TextEncoder(
          try TextEncoderConfiguration(
            json: files.data("\(encoder)/config.json"), file: files.label("\(encoder)/config.json")),
          prefix: TextEncoder.prefix(ofNames: weights.names)),
        tokenizer: try tokenizer(files, "tokenizer\(suffix)"), weights: weights)
    }
  }

  private static func tokenizer(_ files: any ModelFiles, _ folder: String) throws -> Tokenizer {
    func optional(_ name: String) throws -> Data? {
      files.contains("\(folder)/\(name)") ? try files.data("\(folder)/\(name)") : nil
    }
    if files.usesPublishedVocabulary {
      let marks = try files.json("\(folder)/special_tokens_map.json")
      return try Tokenizer(merges: ModelLocation.publishedMerges(), padToken: marks["pad_token"].string())
    }
    return try Tokenizer(
      vocabulary: files.data("\(folder)/vocab.json"), merges: files.data("\(folder)/merges.txt"),
      specialTokensMap: optional("special_tokens_map.json"),
      configuration: optional("tokenizer_config.json"))
  }

  /// Every tensor that a network reads has to be there in its shape and in a floating-point format.
  ///
  /// In a single file, which holds nothing but the model, every tensor of a network has to be read.
  private func checkWeights() throws {
    let stages = Stages(model: self, threads: 1, budget: nil)
    let side = sizeMultiple
    var parts = try textEncoders.indices.map { i in
      (i == 0 ? "text_encoder" : "text_encoder_2", textEncoders[i].weights, [try stages.textEncoder(i)])
    }
    parts.append(("unet", unetWeights, [try stages.noise(width: side, height: side)]))
    let coders = try [
      stages.encoder(width: side, height: side), stages.decoder(width: side, height: side),
    ]
    parts.append(("vae", autoencoderWeights, coders))
    for (component, weights, stages) in parts {
      let read = stages.flatMap(\.graph.weights)
      for weight in read {
        _ = try weights.tensor(weight.name, shape: weight.shape)
        _ = try weights.element(of: weight.name)
      }
      guard files is SingleFileModel else { continue }
      if let unread = Set(weights.names).subtracting(read.map(\.name)).min() {
        throw WeightFileError.unknownTensor(
          file: files.path, tensor: files.ownName(of: unread, in: component))
      }
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
