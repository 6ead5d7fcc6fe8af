import Files
import FoundationEssentials
import JSON
import Platform
import StableDiffusion
import Tensors
import WeightStorage

/// A translation network as a safetensors file: its tensors by the names of methods.md 3.2, all F32.
///
///     conv_in, blocks.{r}.{gn_a, conv_a, film, gn_b, conv_b}, gn_out, conv_out  .weight and .bias;  task.weight
///
/// Its metadata say what it is (`network`, `tasks`, both JSON) and whose latents it knows, and have in `sha256` a hash over
/// everything else, so that a damaged file is noticed.
public enum TranslatorFile {
  static let format = "pentimento translator"
  static let version = "1"

  /// What a file says of its network.
  struct Description: Sendable {
    var configuration: TranslationConfiguration
    var tasks: [Translator.Task]
    var family: String
    var scalingFactor: Double
    var pixelsPerLatent: Int
    var digest = ""

    private var metadata: [String: String] {
      get throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        func json(_ value: some Encodable) throws -> String {
          String(decoding: try encoder.encode(value), as: UTF8.self)
        }
        return [
          "format": TranslatorFile.format, "version": TranslatorFile.version, "family": family,
          "latent-scale": "\(scalingFactor)", "pixels-per-latent": "\(pixelsPerLatent)",
          "network": try json(configuration), "tasks": try json(tasks),
        ]
      }
    }

    init(_ configuration: TranslationConfiguration, _ tasks: [Translator.Task], of model: Model) {
      (self.configuration, self.tasks, family) = (configuration, tasks, model.family)
      scalingFactor = Double(model.autoencoder.scalingFactor)
      pixelsPerLatent = model.pixelsPerLatent
    }

    /// The right kind of file, of this version and whole.
    init(_ file: SafetensorsFile) throws {
      var metadata = file.metadata
      guard metadata["format"] == TranslatorFile.format else { throw Unsound.otherFormat }
      let written = metadata["version"] ?? "none"
      guard written == TranslatorFile.version else { throw Unsound.version(written) }
      let expected = metadata.removeValue(forKey: "sha256")
      digest = try SafetensorsWriter.digest(file.tensors.map(\.name), metadata: metadata) { name in
        try file.bytes(of: file.tensor(name))
      }
      guard digest == expected else { throw Unsound.damaged }

      func json<Value: Decodable>(_ key: String, as type: Value.Type) throws -> Value {
        guard let text = metadata[key], let value = try? JSONDecoder().decode(type, from: Data(text.utf8))
        else { throw Unsound.lacks(key) }
        return value
      }
      configuration = try json("network", as: TranslationConfiguration.self)
      tasks = try json("tasks", as: [Translator.Task].self)
      guard configuration.isPossible, tasks.count == configuration.tasks else {
        throw Unsound.lacks("network")
      }
      guard let family = metadata["family"] else { throw Unsound.lacks("family") }
      guard let scale = metadata["latent-scale"].flatMap(Double.init), scale.isFinite, scale > 0 else {
        throw Unsound.lacks("latent-scale")
      }
      guard let pixels = metadata["pixels-per-latent"].flatMap(Int.init), (1...64).contains(pixels) else {
        throw Unsound.lacks("pixels-per-latent")
      }
      (self.family, scalingFactor, pixelsPerLatent) = (family, scale, pixels)
    }

    fileprivate func metadata(with tensors: [String: StoredTensor]) throws -> [String: String] {
      var metadata = try metadata
      metadata["sha256"] = SafetensorsWriter.digest(tensors, metadata: metadata)
      return metadata
    }
  }

  /// Writes all or nothing.
  ///
  /// - Throws: `FileError`.
  package static func write(
    _ values: [String: HostTensor], _ configuration: TranslationConfiguration, _ tasks: [Translator.Task],
    of model: Model, to path: String
  ) throws {
    let file = try PartialFile(path: path)
    try write(values, Description(configuration, tasks, of: model), into: file)
    try file.commit()
  }

  /// Writes into a file that the caller puts in place, with others perhaps.
  static func write(
    _ values: [String: HostTensor], _ description: Description, into file: PartialFile
  ) throws {
    let tensors = values.mapValues { StoredTensor($0.values, shape: $0.shape) }
    try SafetensorsWriter.write(tensors, metadata: description.metadata(with: tensors), into: file)
  }

  /// What is wrong with a file; becomes `TranslatorError.unreadable`.
  enum Unsound: Error {
    case otherFormat
    case version(String)
    case damaged
    case lacks(String)

    var sentence: String {
      switch self {
      case .otherFormat: "it is another kind of file; name one that train-translator wrote"
      case .version(let found):
        "it is of version \(found) and this program reads version \(TranslatorFile.version); train it again"
      case .damaged: "it is damaged; copy it again, or train it again"
      case .lacks(let what): "its \(what) makes no sense; train it again"
      }
    }
  }
}
