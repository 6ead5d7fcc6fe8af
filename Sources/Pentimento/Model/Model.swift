import Editing
import FoundationEssentials
import NeuralGraph
import StableDiffusion
import WeightStorage

/// An opened Stable Diffusion model in diffusers layout: configurations, tokenizer, schedule and the weight
/// files of its networks, all validated. Weights are read when a stage runs.
public final class Model: Sendable {
  public let name: String
  public let schedule: NoiseSchedule
  /// Settings that this model works best with.
  public let defaults: ModelDefaults
  let folder: DiffusersFolder
  let unet: UNet
  let autoencoder: Autoencoder
  let textEncoders: [TextEncoderPart]
  let unetWeights: Checkpoint
  let autoencoderWeights: Checkpoint

  /// One text encoder with what it reads.
  struct TextEncoderPart: Sendable {
    let encoder: TextEncoder
    let tokenizer: Tokenizer
    let weights: Checkpoint
  }

  /// - Throws: `WeightFileError`, `ModelError`, `TokenizerError` or `EditError`, each naming file and cause.
  public init(folder url: URL) throws {
    folder = try DiffusersFolder(path: url.path)
    name = url.lastPathComponent
    defaults = try ModelDefaults(folder)

    let unetConfiguration = try UNetConfiguration(json: folder.data("unet/config.json"))
    let autoencoderConfiguration = try AutoencoderConfiguration(json: folder.data("vae/config.json"))
    textEncoders = try Self.openTextEncoders(folder)
    try unetConfiguration.check(encoders: textEncoders.map(\.encoder.configuration))
    schedule = try Self.schedule(folder, "scheduler/scheduler_config.json")

    unetWeights = try folder.weights(of: "unet")
    autoencoderWeights = try folder.weights(of: "vae")
    unet = UNet(unetConfiguration)
    let stored = autoencoderWeights
    autoencoder = Autoencoder(
      autoencoderConfiguration, naming: AttentionNaming { try? stored.shape(of: $0) })
    try checkWeights()
  }

  private static func schedule(_ folder: DiffusersFolder, _ name: String) throws -> NoiseSchedule {
    do {
      return try NoiseSchedule(JSONDecoder().decode(SchedulerConfiguration.self, from: folder.data(name)))
    } catch let error as DecodingError {
      throw ModelError(error, file: name)
    }
  }

  private static func openTextEncoders(_ folder: DiffusersFolder) throws -> [TextEncoderPart] {
    let suffixes = folder.has("text_encoder_2") ? ["", "_2"] : [""]
    return try suffixes.map { suffix in
      let (tokenizer, encoder) = ("tokenizer\(suffix)", "text_encoder\(suffix)")
      func optional(_ name: String) throws -> Data? {
        folder.contains(name) ? try folder.data(name) : nil
      }
      let weights = try folder.weights(of: encoder)
      return TextEncoderPart(
        encoder: TextEncoder(
          try TextEncoderConfiguration(
            json: folder.data("\(encoder)/config.json"), file: "\(encoder)/config.json"),
          prefix: TextEncoder.prefix(ofNames: weights.names)),
        tokenizer: try Tokenizer(
          vocabulary: folder.data("\(tokenizer)/vocab.json"), merges: folder.data("\(tokenizer)/merges.txt"),
          specialTokensMap: optional("\(tokenizer)/special_tokens_map.json"),
          configuration: optional("\(tokenizer)/tokenizer_config.json")),
        weights: weights)
    }
  }

  /// Every tensor that a network reads has to be there in its shape and in a floating-point format.
  private func checkWeights() throws {
    let stages = Stages(model: self, threads: 1, budget: nil)
    let side = sizeMultiple
    let networks = try [
      stages.noise(width: side, height: side), stages.encoder(width: side, height: side),
      stages.decoder(width: side, height: side),
    ]
    for stage in try textEncoders.indices.map(stages.textEncoder) + networks {
      for weight in stage.graph.weights {
        _ = try stage.weights.tensor(weight.name, shape: weight.shape)
        _ = try stage.weights.element(of: weight.name)
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
    case EditError.unsupportedSchedule, EditError.unsupportedPrediction, EditError.unsupportedScheduler: true
    default: error is WeightFileError || error is ModelError || error is TokenizerError
    }
  }
}
