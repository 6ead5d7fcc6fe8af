import Foundation
import StableDiffusion
import Tensors
import WeightStorage

/// A checkpoint that comes with the repository: a small random one in the shape of each family, or the model
/// that edits without a download.
enum Fixture: String, CaseIterable, Sendable {
  case sd15, sd21, sdxl, pruned, embedded

  private static let repository = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().appending(path: "../..").standardizedFileURL

  func model() throws -> DiffusersFolder {
    let place = self == .embedded ? "Weights/embedded" : "Tests/Fixtures/\(rawValue)/model"
    return try DiffusersFolder(path: Self.repository.appending(path: place).path)
  }

  func unet() throws -> UNetConfiguration {
    try UNetConfiguration(json: model().data("unet/config.json"))
  }

  func autoencoder() throws -> AutoencoderConfiguration {
    try AutoencoderConfiguration(json: model().data("vae/config.json"))
  }

  var textEncoders: [String] { self == .sdxl ? ["text_encoder", "text_encoder_2"] : ["text_encoder"] }

  func textEncoder(_ component: String) throws -> TextEncoder {
    let file = "\(component)/config.json"
    let configuration = try TextEncoderConfiguration(json: model().data(file), file: file)
    return TextEncoder(
      configuration, prefix: TextEncoder.prefix(ofNames: try model().weights(of: component).names))
  }

  func tokenizer(_ component: String) throws -> Tokenizer {
    let folder = try model()
    return try Tokenizer(
      vocabulary: folder.data("\(component)/vocab.json"), merges: folder.data("\(component)/merges.txt"),
      specialTokensMap: folder.data("\(component)/special_tokens_map.json"),
      configuration: folder.data("\(component)/tokenizer_config.json"))
  }

  /// A reference run with this checkpoint.
  func recorded(_ name: String) throws -> Recorded {
    try Recorded(folder: Self.repository.appending(path: "Tests/Fixtures/\(rawValue)/\(name)"))
  }
}

/// Inputs and results of a reference run in Double.
struct Recorded {
  let inputs: SafetensorsFile
  let expected: SafetensorsFile
  private let description: Description

  private struct Description: Decodable {
    struct Parameters: Decodable { var prompts: [String]? }
    struct Tensor: Decodable { var atol: Float? }
    var params: Parameters
    var expected: [String: Tensor]
  }

  init(folder: URL) throws {
    inputs = try SafetensorsFile(path: folder.appending(path: "inputs.safetensors").path)
    expected = try SafetensorsFile(path: folder.appending(path: "expected.safetensors").path)
    description = try JSONDecoder().decode(
      Description.self, from: Data(contentsOf: folder.appending(path: "case.json")))
  }

  var prompts: [String] { description.params.prompts ?? [] }

  /// What a tensor may be off by: twenty times the difference between the reference in Double and in Float.
  func tolerance(_ name: String) -> Float { description.expected[name]?.atol ?? 0 }
}
