import Editing
import StableDiffusion
import WeightStorage

extension Component {
  /// What files and people are told of a component.
  package struct Facts: Sendable {
    /// `config.json`, from what was understood of it.
    var configuration: any Encodable & Sendable
    /// Lines of `inspect`.
    var summary: [String]
    /// Whether there is a tokenizer beside it (`tokenizer(of:)`).
    var hasTokenizer = false
    /// Whether LoRA files may change it.
    var takesAdapters = false

    package init(configuration: any Encodable & Sendable, summary: [String]) {
      (self.configuration, self.summary) = (configuration, summary)
    }

    init(_ c: TextEncoderConfiguration) {
      self.init(
        configuration: c,
        summary: [
          "text         \(c.layers) layers of \(c.width) channels, \(c.tokens) tokens, "
            + "\(c.vocabulary) words, \(c.activation.rawValue)"
        ])
      (hasTokenizer, takesAdapters) = (true, true)
    }

    /// - Parameter description: of the schedule, complete.
    init(_ c: UNetConfiguration, _ schedule: NoiseSchedule, _ description: SchedulerConfiguration) {
      self.init(
        configuration: c,
        summary: [
          "denoise      channels \(list(c.down.map(\.channels))), heads \(list(c.down.map(\.heads))), "
            + "context \(c.contextWidth), predicts \(schedule.prediction.rawValue)",
          "schedule     \(description.betaSchedule!) \(description.betaStart!)…\(description.betaEnd!), "
            + "\(description.trainingSteps!) steps",
        ])
      takesAdapters = true
    }

    init(_ autoencoder: any LatentAutoencoder) {
      self.init(
        configuration: autoencoder.description,
        summary: [
          "autoencoder  channels \(list(autoencoder.channels)), scaling factor \(autoencoder.scalingFactor)"
        ])
    }
  }

  /// The folder of a text encoder's tokenizer: `text_encoder_2` → `tokenizer_2`.
  static func tokenizer(of component: String) -> String {
    "tokenizer" + component.dropFirst("text_encoder".count)
  }

  /// The small files that are read for it, by their place in a diffusers folder.
  func fileNames(in files: any ModelFiles) -> [String] {
    let configuration = "\(name)/config.json"
    guard facts.hasTokenizer else { return [configuration] }
    let folder = Self.tokenizer(of: name)
    var names = ["vocab.json", "merges.txt", "special_tokens_map.json", "tokenizer_config.json"]
    if !files.contains("\(folder)/merges.txt") { names.append("tokenizer.json") }
    return [configuration] + names.map { "\(folder)/\($0)" }
  }
}

/// `320×640×1280`
func list(_ numbers: [Int]) -> String { numbers.map(String.init).joined(separator: "×") }
