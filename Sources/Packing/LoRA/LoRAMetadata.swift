import FoundationEssentials
import WeightStorage

/// What a LoRA file says about alpha beside its tensors: diffusers in the file's metadata, PEFT in a file next to it.
struct LoRAMetadata: Sendable {
  /// By component; `""` where the file names none.
  private var parts: [String: Part] = [:]

  private struct Part {
    var alpha: Float?
    /// By the end of a layer's path.
    var exceptions: [String: Float] = [:]
  }

  /// - Throws: `WeightFileError` for a JSON text that is none, `LoRAError.unsupportedKind` for another rule of scaling.
  init(of file: SafetensorsFile) throws {
    if let text = file.metadata["lora_adapter_metadata"] {
      let label = "\(file.reader.label) (lora_adapter_metadata)"
      let json = ConfigValue(file: label, value: try JSONValue(parsing: Array(text.utf8), file: label))
      for component in ["unet", "text_encoder", "text_encoder_2"] {
        try read(json, prefix: "\(component).", into: component, of: file)
      }
    } else {
      let path = URL(fileURLWithPath: file.reader.label).deletingLastPathComponent()
        .appending(path: "adapter_config.json").path
      guard FileManager.default.fileExists(atPath: path),
        file.tensors.contains(where: { $0.name.hasPrefix("base_model.model.") })
      else { return }
      let json = ConfigValue(
        file: path, value: try JSONValue(parsing: FileReader.contents(of: path), file: path))
      try read(json, prefix: "", into: "", of: file)
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
    if exceptions.isPresent {
      for key in exceptions.keys { part.exceptions[key] = Float(try exceptions[key].real()) }
    }
    if part.alpha != nil || !part.exceptions.isEmpty { parts[component] = part }
  }

  func alpha(of layer: String, in component: String) -> Float? {
    guard let part = parts[component] ?? parts[""] else { return nil }
    let exception = part.exceptions.first { layer == $0.key || layer.hasSuffix(".\($0.key)") }
    return exception?.value ?? part.alpha
  }
}
