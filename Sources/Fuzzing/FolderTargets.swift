import Files
import FoundationEssentials
import Pentimento
import StableDiffusion
import Tensors
import WeightStorage

/// `model_index.json` beside two components.
struct ModelIndexTarget: FuzzTarget {
  let seeds: [[[UInt8]]]
  let words = ["unet", "vae", "diffusers", "UNet2DConditionModel", "../unet", "/", "."]

  init(_ fixtures: String) throws {
    seeds = try ["sd15", "sdxl", "ssd1b"].map {
      [try FileReader.contents(of: "\(fixtures)/\($0)/model/model_index.json")]
    }
  }

  func read(_ parts: [[UInt8]], in folder: String) throws {
    for component in ["unet", "vae"] {
      try FileManager.default.createDirectory(
        atPath: "\(folder)/\(component)", withIntermediateDirectories: true)
    }
    try write(parts[0], to: "\(folder)/model_index.json")
    let model = try DiffusersFolder(path: folder)
    for component in model.components {
      _ = (try? model.className(of: component), try? model.weights(of: component))
    }
    let flag = model.index["force_zeros_for_empty_prompt"]
    if flag.isPresent { _ = try flag.bool() }
  }
}

/// An index of shards beside one of them.
struct ShardsTarget: FuzzTarget {
  let seeds: [[[UInt8]]] = [
    [Array(#"{"metadata":{"total_size":8},"weight_map":{"a":"1.safetensors","b":"1.safetensors"}}"#.utf8)]
  ]
  let words = ["weight_map", "1.safetensors", "2.safetensors", "../1.safetensors", "a", "b", "metadata"]

  func read(_ parts: [[UInt8]], in folder: String) throws {
    try SafetensorsWriter.write(
      ["a": StoredTensor([1] as [Float], shape: [1]), "b": StoredTensor([2] as [Float], shape: [])],
      to: "\(folder)/1.safetensors")
    try write(parts[0], to: "\(folder)/model.safetensors.index.json")
    let weights = try Checkpoint(index: "\(folder)/model.safetensors.index.json")
    for name in weights.names { _ = try weights.floats(name) }
  }
}

/// `pentimento.json`, a model's own settings.
struct DefaultsTarget: FuzzTarget {
  let seeds: [[[UInt8]]] = [
    [Array(#"{"defaults":{"cfg-scale":3,"steps":20},"methods":{"sdedit":{"strength":0.6}}}"#.utf8)]
  ]
  let words = [
    "defaults", "methods", "sdedit", "ddpm-inversion", "steps", "strength", "cfg-scale", "size", "seed",
  ]

  func read(_ parts: [[UInt8]], in folder: String) throws {
    try write(parts[0], to: "\(folder)/pentimento.json")
    try write(Array("{}".utf8), to: "\(folder)/model_index.json")
    let defaults = try ModelDefaults(DiffusersFolder(path: folder))
    _ = defaults.settings(for: "sdedit")
  }
}

/// `vocab.json`, `merges.txt`, `special_tokens_map.json` and `tokenizer_config.json`.
struct TokenizerTarget: FuzzTarget {
  let seeds: [[[UInt8]]]
  let words = [
    "a</w>", "th", "<|endoftext|>", "<|startoftext|>", "content", "normalized", "bos_token", "eos_token",
    "pad_token",
    "unk_token", "added_tokens_decoder", "Ġ", "é</w>", "#version: 0.2",
  ]
  private static let texts = [
    "", "a cat", "A photograph of the 3 dogs' <|endoftext|> house, it's <|STARTOFTEXT|>!",
    "é e\u{301} 猫 🐈‍⬛ \u{0F73}",
    String(repeating: "long ", count: 100), "!\u{0}\n\t  ",
  ]

  init(_ fixtures: String) throws {
    seeds = try ["sd15", "sd21"].map { model in
      try ["vocab.json", "merges.txt", "special_tokens_map.json", "tokenizer_config.json"].map {
        try FileReader.contents(of: "\(fixtures)/\(model)/model/tokenizer/\($0)")
      }
    }
  }

  func read(_ parts: [[UInt8]], in folder: String) throws {
    let files = try TokenizerFiles(
      vocabulary: Data(parts[0]), merges: Data(parts[1]), specialTokensMap: Data(parts[2]),
      configuration: Data(parts[3]))
    let tokenizer = try Tokenizer(files)
    let texts = files.texts
    let again = try Tokenizer(
      TokenizerFiles(
        vocabulary: texts["vocab.json"].map { Data($0.utf8) }, merges: Data(texts["merges.txt"]!.utf8),
        specialTokensMap: texts["special_tokens_map.json"].map { Data($0.utf8) }))
    for text in Self.texts {
      for length in [3, 77] {
        let encoding = tokenizer.encode(text, maxLength: length)
        guard encoding.ids.count == length, (0...length - 2).contains(encoding.tokenCount) else {
          throw Broken("\(encoding.ids.count) ids for \(length)")
        }
        guard again.encode(text, maxLength: length) == encoding else {
          throw Broken("the tokenizer that a container would hold encodes \"\(text)\" otherwise")
        }
      }
    }
  }
}
