import Files
import JSON
import Platform

/// Why a weight file, a model folder or one of its configurations was refused.
///
/// A file is validated once, in full, when it is opened; what is wrong with it has a case of its own here and a
/// sentence that names the file, the cause and the next step.
public enum WeightFileError: Error, Equatable, Sendable {
  /// The file itself: reaching it, reading or writing its bytes.
  case file(FileError)
  case changed(file: String)

  // What kind of file it is.
  case notAWeightFile(file: String, reason: String)
  case pickle(file: String)

  // The header.
  case headerTooLong(file: String, bytes: UInt64, limit: Int)
  case badHeader(file: String, reason: String)
  case duplicateKey(file: String, key: String)
  case unknownElement(file: String, tensor: String, dtype: String)

  // The table of tensors against the data.
  case sizeOverflow(file: String, tensor: String, shape: [Int])
  case sizeMismatch(file: String, tensor: String, needs: Int, has: Int)
  case badOffsets(file: String, tensor: String, begin: Int, end: Int)
  case overlap(file: String, tensor: String, other: String)
  case hole(file: String, before: String, bytes: Int)
  case trailingBytes(file: String, bytes: Int)

  // What was asked of a sound file.
  case missingTensor(file: String, tensor: String)
  case shapeMismatch(file: String, tensor: String, expected: [Int], found: [Int])
  case unsupportedElement(file: String, tensor: String, dtype: String, wanted: String)

  // A model folder.
  /// `meant` is what was perhaps to be named instead.
  case notAModelFolder(folder: String, reason: String, meant: String?)
  case missingWeights(folder: String)
  case lacksFile(folder: String, file: String)
  /// Its index names no UNet; `pipeline` is its class in diffusers.
  case otherPipeline(folder: String, pipeline: String)
  case badShardIndex(file: String, reason: String)
  case configuration(ConfigurationError)

  // A whole model in one file.
  case notAWholeModel(file: String, reason: String)
  /// A single file of fewer networks than a model needs; the missing ones by their names in a diffusers folder.
  case lacksNetworks(file: String, networks: [String])
  /// A file of a network other than the noise network, by its name in a diffusers folder.
  case loneNetwork(file: String, network: String)
  case unknownTensor(file: String, tensor: String)
  case unusualShapes(file: String, reason: String)
  case severalScales(file: String, tensor: String, count: Int)

  // A network from a file of its own; `network` is its component's name, which is also the option's.
  case noSuchNetwork(file: String, network: String)
  case notOfThisModel(file: String, network: String)
  /// One half of an autoencoder, `encoder` or `decoder`, is in no file; `beside` is where it was looked for.
  case lacksHalf(file: String, half: String, beside: String?)

  // A container.
  case alreadyPacked(file: String)
  case notFinite(file: String, tensor: String)
  case containerVersion(file: String, found: String, supported: String)
  case badContainer(file: String, reason: String)
  case noHashes(file: String)
  case damagedTensor(file: String, tensor: String)
  case misaligned(file: String, tensor: String, offset: Int)
  case badScale(file: String, tensor: String, value: String)
}

extension WeightFileError: CustomStringConvertible {
  private static let words = [
    "text_encoder": "text encoder", "text_encoder_2": "second text encoder", "vae": "autoencoder",
  ]

  public var description: String {
    switch self {
    case .file(let error):
      error.description
    case .changed(let file):
      "\(file): was written to while it was used; start again when that is done"
    case .notAWeightFile(let file, let reason):
      "\(file): is not a safetensors file: \(reason)"
    case .pickle(let file):
      "\(file): is a pickle, which can run any program when it is loaded, so it is not opened; "
        + "use the model's .safetensors files, or convert it on a machine you can spare "
        + "(diffusers: save_pretrained with safe_serialization=True)"
    case .headerTooLong(let file, let bytes, let limit):
      "\(file): announces a header of \(bytes) bytes, more than the \(limit) allowed; "
        + "the file is damaged, download it again"
    case .badHeader(let file, let reason):
      "\(file): its header cannot be read: \(reason); the file is damaged, download it again"
    case .duplicateKey(let file, let key):
      "\(file): names \"\(key)\" twice, so its meaning is open; write the file again with one entry per name"
    case .unknownElement(let file, let tensor, let dtype):
      "\(file): tensor \(tensor) has the element type \"\(dtype)\", which is not known here; "
        + "save the model as F16, BF16 or F32"
    case .sizeOverflow(let file, let tensor, let shape):
      "\(file): tensor \(tensor) of shape \(shape) is larger than any memory; the file is damaged, download it again"
    case .sizeMismatch(let file, let tensor, let needs, let has):
      "\(file): tensor \(tensor) needs \(needs) bytes for its shape but owns \(has); "
        + "the file is damaged, download it again"
    case .badOffsets(let file, let tensor, let begin, let end):
      "\(file): tensor \(tensor) runs from byte \(begin) to byte \(end); the file is damaged, download it again"
    case .overlap(let file, let tensor, let other):
      "\(file): tensors \(tensor) and \(other) share bytes; the file is damaged, download it again"
    case .hole(let file, let before, let bytes):
      "\(file): \(bytes) bytes before tensor \(before) belong to no tensor; the file is damaged, download it again"
    case .trailingBytes(let file, let bytes):
      "\(file): has \(bytes) bytes after its last tensor; the file is damaged, download it again"
    case .missingTensor(let file, let tensor):
      "\(file): has no tensor \(tensor); the weights are of another kind of model or incomplete, download them again"
    case .shapeMismatch(let file, let tensor, let expected, let found):
      "\(file): tensor \(tensor) has shape \(found) where \(expected) is expected; "
        + "the weights do not belong to this configuration"
    case .unsupportedElement(let file, let tensor, let dtype, let wanted):
      "\(file): tensor \(tensor) is stored as \(dtype) where \(wanted) is needed; "
        + "save the model as F16, BF16 or F32"
    case .notAModelFolder(let folder, let reason, let meant):
      "\(folder): is not a model in diffusers layout: \(reason); "
        + (meant.map { "did you mean \($0)?" } ?? "name the folder that holds model_index.json")
    case .missingWeights(let folder):
      "\(folder): has no .safetensors weights; download the model's .safetensors files into it"
    case .lacksFile(let folder, let file):
      "\(folder): lacks \(file); download the model again, all its files but the pictures and the pickles"
    case .otherPipeline(let folder, let pipeline):
      "\(folder): is a \(pipeline), whose noise network is no UNet; use a model of the Stable Diffusion 1, 2 or XL family"
    case .badShardIndex(let file, let reason):
      "\(file): \(reason); download the model's files again, all of them"
    case .configuration(let error):
      error.description
    case .notAWholeModel(let file, let reason):
      "\(file): is not a whole Stable Diffusion 1, 2 or XL model: \(reason)"
    case .lacksNetworks(let file, let networks):
      "\(file): is not a whole Stable Diffusion 1, 2 or XL model: it has no "
        + networks.map { Self.words[$0] ?? $0 }.joined(separator: " and no ")
        + "; name a file that has it too, or the folder that holds model_index.json"
    case .loneNetwork(let file, let network):
      "\(file): holds \(network == "vae" ? "an" : "a") \(Self.words[network] ?? network) alone; name a model, and "
        + "this file as its \(Self.words[network] ?? network)"
    case .unknownTensor(let file, let tensor):
      "\(file): tensor \(tensor) belongs to no part of Stable Diffusion 1, 2 or XL; use the plain text-to-image model"
    case .unusualShapes(let file, let reason):
      "\(file): \(reason), so its configuration cannot be told from its shapes; "
        + "name a folder of diffusers configuration files beside it"
    case .severalScales(let file, let tensor, let count):
      "\(file): tensor \(tensor) holds \(count) scales for one weight where one is read; "
        + "use the model's file in F16 or BF16"
    case .lacksHalf(let file, let half, let beside):
      "\(file): has no \(half) of a tiny autoencoder" + (beside.map { ", and there is no \($0)" } ?? "")
        + "; put the file with the \(half) beside it, called the same but for that word"
    case .noSuchNetwork(let file, let network):
      "\(file): has no \(network); name a file or folder that has one"
    case .notOfThisModel(let file, let network):
      "\(file): cannot be used, the model has no \(network); leave the option out"
    case .alreadyPacked(let file):
      "\(file): is quantized already; name the model that it was made from"
    case .notFinite(let file, let tensor):
      "\(file): tensor \(tensor) holds numbers that are infinite or none; the file is damaged, download it again"
    case .containerVersion(let file, let found, let supported):
      "\(file): is a container of version \(found), and this program reads version \(supported); "
        + "quantize the model again with this program, or use the program that wrote it"
    case .badContainer(let file, let reason):
      "\(file): \(reason); the file is damaged, download or quantize it again"
    case .noHashes(let file):
      "\(file): has no hashes to compare with; only containers, which pentimento quantize writes, have them"
    case .damagedTensor(let file, let tensor):
      "\(file): tensor \(tensor) has changed since it was written; download or quantize it again"
    case .misaligned(let file, let tensor, let offset):
      "\(file): tensor \(tensor) starts at byte \(offset), which is no multiple of 64; "
        + "the file was rewritten by another program, quantize the model again"
    case .badScale(let file, let tensor, let value):
      "\(file): tensor \(tensor) holds the scale \(value); the file is damaged, download or quantize it again"
    }
  }
}

extension WeightFileError: CarriesRefusal {
  package var refusal: SystemRefusal? { if case .file(let error) = self { error.refusal } else { nil } }

  /// What `body` says of the file itself is one of the reasons for which weights are refused.
  package static func ofFile<R>(_ body: () throws(FileError) -> R) throws(WeightFileError) -> R {
    do throws(FileError) { return try body() } catch { throw .file(error) }
  }
}

/// What reads JSON, with its failures among those of the weights.
func configuration<Result>(
  _ body: () throws(ConfigurationError) -> Result
) throws(WeightFileError) -> Result {
  do throws(ConfigurationError) { return try body() } catch { throw .configuration(error) }
}
