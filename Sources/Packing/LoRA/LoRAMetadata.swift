import Files
import FoundationEssentials
import JSON
import WeightStorage

/// What a LoRA file says about alpha beside its tensors: diffusers in the file's metadata, PEFT in a file next to it.
///
///     {"lora_alpha": 16, "alpha_pattern": {"attn1.to_q": 4, "down_blocks\\.[01]\\..*": 8}, "r": 8, "rank_pattern": {…}}
///
/// Of the patterns that fit a layer the first in the order written holds. Ranks are those of the matrices, whatever is
/// written.
struct LoRAMetadata: Sendable {
  /// By component; `""` where the file names none.
  private var parts: [String: Part] = [:]

  private struct Part {
    var alpha: Float?
    var exceptions: [(pattern: LayerPattern, alpha: Float)] = []
  }

  /// States of all patterns of a file; each path is compared with all of them.
  private static let mostStates = 10_000

  /// - Throws: `ConfigurationError` for a JSON text that is none, `LoRAError.unsupportedKind` for another rule of
  ///   scaling, `LoRAError.badPattern`.
  init(of file: SafetensorsFile) throws {
    if let text = file.metadata["lora_adapter_metadata"] {
      let json = try ConfigValue(
        parsing: Array(text.utf8), file: "\(file.reader.label) (lora_adapter_metadata)")
      for component in ["unet", "text_encoder", "text_encoder_2"] {
        try read(json, prefix: "\(component).", into: component, of: file)
      }
    } else {
      let path = URL(fileURLWithPath: file.reader.label).deletingLastPathComponent()
        .appending(path: "adapter_config.json").path
      guard FileManager.default.fileExists(atPath: path),
        file.tensors.contains(where: { $0.name.hasPrefix("base_model.model.") })
      else { return }
      let text = try WeightFileError.ofFile { () throws(FileError) in try FileReader.contents(of: path) }
      try read(ConfigValue(parsing: text, file: path), prefix: "", into: "", of: file)
    }
  }

  private mutating func read(
    _ json: ConfigValue, prefix: String, into component: String, of file: SafetensorsFile
  ) throws {
    for (key, kind) in [("use_rslora", "a rank-stabilized LoRA"), ("use_dora", "a DoRA")] {
      if json[prefix + key].isPresent, try json[prefix + key].bool() {
        throw LoRAError.unsupportedKind(
          file: file.reader.label, tensor: file.tensors.first?.name ?? "", kind: kind)
      }
    }
    var part = Part()
    let alpha = json[prefix + "lora_alpha"]
    if alpha.isPresent { part.alpha = Float(try alpha.real()) }
    let exceptions = json[prefix + "alpha_pattern"]
    if exceptions.isPresent { part.exceptions = try Self.patterns(exceptions) }
    if part.alpha != nil || !part.exceptions.isEmpty { parts[component] = part }
  }

  private static func patterns(_ object: ConfigValue) throws -> [(pattern: LayerPattern, alpha: Float)] {
    var states = 0
    return try object.keys.map { key in
      do {
        let pattern = try LayerPattern(key)
        states += pattern.states
        guard states <= mostStates else { throw PatternError(reason: "all of them are too long together") }
        return (pattern, Float(try object[key].real()))
      } catch let error as PatternError {
        throw LoRAError.badPattern(file: object.file, pattern: key, reason: error.reason)
      }
    }
  }

  func alpha(of layer: String, in component: String) -> Float? {
    guard let part = parts[component] ?? parts[""] else { return nil }
    // A text encoder's tower has a name in some files and none in others.
    let tower = "text_model."
    let paths =
      component == "unet"
      ? [layer] : [layer, layer.hasPrefix(tower) ? String(layer.dropFirst(tower.count)) : tower + layer]
    let exception = part.exceptions.first { exception in paths.contains(where: exception.pattern.matches) }
    return exception?.alpha ?? part.alpha
  }
}
