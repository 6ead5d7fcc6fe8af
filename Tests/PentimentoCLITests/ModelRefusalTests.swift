import Foundation
import Testing
import WeightStorage

@Suite("A model that cannot be used", .serialized) struct ModelRefusalTests {
  private static let (unet, vae, text) = (
    "unet/diffusion_pytorch_model.safetensors", "vae/diffusion_pytorch_model.safetensors",
    "text_encoder/model.safetensors"
  )

  /// What a file turns into.
  struct Damage: Sendable, CustomTestStringConvertible {
    var file: String
    var name: String
    var says: String
    /// nil: the file is missing.
    var change: @Sendable ([UInt8]) -> [UInt8]?

    init(_ file: String, _ name: String, says: String, _ change: @escaping @Sendable ([UInt8]) -> [UInt8]?) {
      (self.file, self.name, self.says, self.change) = (file, name, says, change)
    }

    var testDescription: String { "\(file) \(name)" }

    /// Replaces text of the same length.
    static func replacing(_ old: String, by new: String) -> @Sendable ([UInt8]) -> [UInt8]? {
      { bytes in
        precondition(old.utf8.count == new.utf8.count)
        var bytes = bytes
        let at = Data(bytes).range(of: Data(old.utf8))!.lowerBound
        bytes.replaceSubrange(at..<at + old.utf8.count, with: new.utf8)
        return bytes
      }
    }
  }

  static let damages: [Damage] =
    [unet, vae, text].flatMap { file in
      [
        Damage(file, "empty", says: "it is empty; download it again") { _ in [] },
        Damage(file, "cut in half", says: "is cut off") { Array($0[..<($0.count / 2)]) },
        Damage(file, "cut by a byte", says: "is cut off") { $0.dropLast() },
        Damage(file, "one byte longer", says: "after its last tensor") { $0 + [0] },
        Damage(file, "with a bit of the header's length flipped", says: "download it again") { bytes in
          var bytes = bytes
          bytes[1] ^= 1
          return bytes
        },
        Damage(file, "with the header's length beyond any file", says: "header of") { bytes in
          var bytes = bytes
          bytes[6] ^= 0x40
          return bytes
        },
        Damage(file, "with a bit of the header's text flipped", says: "header cannot be read") { bytes in
          var bytes = bytes
          bytes[9] ^= 0x20  // the first quotation mark
          return bytes
        },
        Damage(file, "missing", says: "has no .safetensors weights") { _ in nil },
        Damage(file, "a web page", says: "it is text") { _ in Array("<html>not found</html>".utf8) },
      ]
    } + [
      Damage(
        unet, "without a tensor", says: "has no tensor conv_in.bias",
        Damage.replacing("conv_in.bias", by: "conv_im.bias")),
      Damage(
        vae, "without a tensor", says: "has no tensor decoder.conv_in.bias",
        Damage.replacing("decoder.conv_in.bias", by: "decoder.conv_im.bias")),
      Damage("model_index.json", "missing", says: "has no model_index.json") { _ in nil },
      Damage("model_index.json", "cut", says: "model_index.json") { Array($0[..<20]) },
      Damage("unet/config.json", "missing", says: "lacks unet/config.json") { _ in nil },
      Damage("unet/config.json", "empty", says: "unet/config.json is not a JSON object") { _ in [] },
      Damage(
        "unet/config.json", "for inpainting", says: "in_channels is 9",
        Damage.replacing("\"in_channels\": 4", by: "\"in_channels\": 9")),
      Damage(
        "vae/config.json", "with a factor beyond 32 bits", says: "scaling_factor is 1e+99, not a number",
        Damage.replacing("\"scaling_factor\": 0.18215", by: "\"scaling_factor\": 1.0e+99")),
      Damage("vae/config.json", "missing", says: "lacks vae/config.json") { _ in nil },
      Damage("text_encoder/config.json", "missing", says: "lacks text_encoder/config.json") {
        _ in nil
      },
      Damage(
        "scheduler/scheduler_config.json", "missing", says: "lacks scheduler/scheduler_config.json"
      ) { _ in nil },
      Damage("scheduler/scheduler_config.json", "a list", says: "is not a JSON object") { _ in
        Array("[]".utf8)
      },
      Damage("scheduler/scheduler_config.json", "with a word for a number", says: "beta_start") { _ in
        Array(#"{"beta_start": "low"}"#.utf8)
      },
      Damage("scheduler/scheduler_config.json", "of an unknown schedule", says: "\"cosine\" is not supported")
      { _ in
        Array(#"{"beta_schedule": "cosine"}"#.utf8)
      },
      Damage(
        "scheduler/scheduler_config.json", "of an unknown prediction", says: "\"sample\" is not supported"
      ) { _ in Array(#"{"prediction_type": "sample"}"#.utf8) },
      Damage(
        "unet/config.json", "for another text encoder", says: "text states of width 48",
        Damage.replacing("\"cross_attention_dim\": 32", by: "\"cross_attention_dim\": 48")),
      Damage(
        "text_encoder/config.json", "for wider layers", says: "mlp.fc1.weight",
        Damage.replacing("\"intermediate_size\": 128", by: "\"intermediate_size\": 256")),
      Damage("tokenizer/vocab.json", "missing", says: "lacks tokenizer/vocab.json") { _ in
        nil
      },
      Damage(
        "tokenizer/vocab.json", "with ids beyond the text encoder", says: "the tokenizer makes token 999",
        Damage.replacing("\"cat</w>\": 654", by: "\"cat</w>\": 999")),
      Damage(
        "tokenizer/vocab.json", "with negative ids", says: "the tokenizer makes token -54",
        Damage.replacing("\"cat</w>\": 654", by: "\"cat</w>\": -54")),
      Damage(
        "text_encoder/config.json", "of a million layers", says: "not a count up to 100",
        Damage.replacing(
          "\"num_attention_heads\": 4,\n \"num_hidden_layers\": 3",
          by: "\"num_attention_heads\":4,\"num_hidden_layers\":99999")),
      Damage("scheduler/scheduler_config.json", "with less than no noise", says: "beta_start and beta_end") {
        _ in Array(#"{"beta_start": -0.01, "beta_schedule": "linear"}"#.utf8)
      },
      Damage("tokenizer/vocab.json", "cut", says: "vocab.json") { Array($0[..<100]) },
      Damage("tokenizer/merges.txt", "missing", says: "lacks tokenizer/merges.txt") { _ in
        nil
      },
      Damage("tokenizer/merges.txt", "of another model", says: "merges.txt") { _ in
        Array("#version: 0.2\nzz qq\n".utf8)
      },
      Damage("tokenizer/tokenizer_config.json", "cut", says: "tokenizer_config.json") { Array($0[..<20]) },
    ]

  private static let edit = [
    "edit", "-i", "photo.png", "-p", "a cat", "-o", "out.png", "--steps", "2", "-t", "1",
  ]

  @Test("is refused with the file and the cause", arguments: damages)
  func refuses(damage: Damage) async throws {
    let place = try Workplace.furnished()
    _ = try place.addModel(
      "model", replacing: damage.file, by: damage.change(Workplace.modelFile(damage.file)))
    var refusal = Refusal(status: Status.badModel, says: damage.says)
    refusal.arguments = Self.edit + ["-m", "model"]
    try await refusal.check(in: place)
  }

  @Test(
    "is refused where there is none",
    arguments: [
      ("none", "no such file"), ("photo.png", "not a safetensors file"), ("empty", "model_index.json"),
    ])
  func noModel(path: String, says: String) async throws {
    let place = try Workplace.furnished()
    try FileManager.default.createDirectory(at: place.url("empty"), withIntermediateDirectories: false)
    var refusal = Refusal(status: Status.badModel, says: says)
    refusal.arguments = Self.edit + ["-m", path]
    try await refusal.check(in: place)
    refusal.arguments = ["inspect", path]
    if path != "photo.png" { try await refusal.check(in: place) }
  }

  /// A value that becomes `bits`: a flip that leaves an ordinary number cannot be seen without a checksum; one that
  /// leaves NaN or an infinity has to end the run before a picture is made of it.
  @Test(
    "whose weights are no numbers ends the run, whatever the method",
    arguments: [
      (text, "text_model.final_layer_norm.weight"), (unet, "conv_in.weight"), (vae, "encoder.conv_in.weight"),
      (vae, "decoder.conv_out.bias"),
    ])
  func notFinite(file: String, tensor: String) async throws {
    let place = try Workplace.furnished()
    let sound = try SafetensorsFile(path: Command.smallModel.appending(path: file).path)
    let start = try #require(sound.tensors.first { $0.name == tensor }?.range.lowerBound)
    func add(_ name: String, _ value: Float) throws {
      var bytes = try Workplace.modelFile(file)
      withUnsafeBytes(of: value.bitPattern.littleEndian) {
        bytes.replaceSubrange(start..<start + 4, with: $0)
      }
      _ = try place.addModel(name, replacing: file, by: bytes)
    }
    try add("nan", .nan)
    try add("infinity", .infinity)
    let methods = [
      ["-p", "a cat"], ["-p", "a cat", "--method", "diffedit", "--source-prompt", "a dog"],
      ["--method", "ledits", "--concept", "+snow"], ["--method", "ledits++", "--concept", "+snow"],
    ]
    for (model, method) in methods.map({ ("nan", $0) }) + [("infinity", methods[0])] {
      var refusal = Refusal(status: Status.badModel, says: "\(file) computes values that are not finite")
      refusal.arguments =
        ["edit", "-i", "photo.png", "-o", "out.png", "--steps", "4", "-t", "1", "-m", model] + method
      try await refusal.check(in: place)
    }
  }

  @Test(
    "is not blamed for guidance that no picture survives",
    arguments: [
      ["-p", "a cat", "--cfg-scale", "1e30"], ["--concept", "+snow:1e38", "--concept-warmup", "0"],
    ])
  func ranAway(arguments: [String]) async throws {
    var refusal = Refusal(status: Status.failed, says: "lower the guidance")
    refusal.arguments = ["edit", "-i", "photo.png", "-o", "out.png", "--steps", "5", "-t", "1"] + arguments
    try await refusal.check(in: .furnished())
  }

  @Test("is refused wherever one bit of its header is flipped, or was not hurt by it")
  func flippedHeader() async throws {
    let place = try Workplace.furnished()
    let sound = try Workplace.modelFile(Self.text)
    let header = 8 + sound[..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
    for i in 0..<24 {
      var bytes = sound
      bytes[8 + i * 997 % (header - 8)] ^= 1 << UInt8(i % 8)
      let model = try place.addModel("model\(i)", replacing: Self.text, by: bytes)
      let before = try place.contents
      let run = try await Command.run(["inspect", model.path], in: place)
      // A flip may change the free text of the file's metadata, or one space into another.
      #expect(
        run.exited && [Status.done, Status.badModel].contains(run.status),
        "byte \(8 + i * 997 % (header - 8)): \(run.errors)")
      #expect(try place.contents == before)
    }
  }
}
