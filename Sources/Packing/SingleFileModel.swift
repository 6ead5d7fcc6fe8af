import FoundationEssentials
import WeightStorage

/// A Stable Diffusion 1, 2 or XL model in one safetensors file with the names of its first publication
/// (`model.diffusion_model.input_blocks.0.0.weight`), read as the diffusers folder that it could be.
///
/// Nothing is converted: names and shapes are translated, the bytes stay where they are.
package struct SingleFileModel: ModelFiles {
  package let path: String
  package let notes: [String]
  private let file: SafetensorsFile
  private let family: Family
  private let components: [String: TranslatedTensors]
  /// The small files that a folder would have, made from the tensors' names and shapes.
  private let made: [String: Data]
  /// Small files that the user gave; they go before those made.
  private let given: DiffusersFolder?

  /// - Parameters:
  ///   - configuration: a folder in diffusers layout whose configurations and tokenizers hold instead of what the
  ///     names and shapes say; its weights are not looked at.
  ///   - prediction: what the network predicts, `epsilon` or `v_prediction`; nil for what the file says.
  /// - Throws: `WeightFileError`: the file is damaged, no whole model, or has a tensor that nobody knows.
  package init(
    path: String, configuration: DiffusersFolder? = nil, prediction: String? = nil
  ) throws(WeightFileError) {
    self.path = path
    file = try SafetensorsFile(path: path)
    let names = Set(file.tensors.map(\.name))
    family = try Family(names: names, file: path)
    components = try TranslatedTensors.all(of: file, family.keyTable(names))
    given = configuration
    let description = ModelDescription(
      family: family, components: components, names: names, metadata: file.metadata,
      prediction: prediction, file: path)
    made = try description.files(sparing: configuration)
    notes = configuration?.contains("scheduler/scheduler_config.json") == true ? [] : description.notes
  }

  /// Whether a file has the name of a single-file model's tensor in its table.
  package static func isModel(_ file: SafetensorsFile) -> Bool {
    file.tensors.contains { $0.name.hasPrefix("model.diffusion_model.") }
  }

  package var usesPublishedVocabulary: Bool { given?.contains("tokenizer/vocab.json") != true }

  package func has(_ component: String) -> Bool {
    ["unet", "vae", "tokenizer", "scheduler"].contains(component) || family.textEncoders.contains(component)
      || component == "tokenizer_2" && family == .sdxl
  }

  package func contains(_ name: String) -> Bool { given?.contains(name) == true || made[name] != nil }

  package func label(_ name: String) -> String {
    guard let given, given.contains(name) else { return path }
    return "\(given.path)/\(name)"
  }

  package func data(_ name: String) throws(WeightFileError) -> Data {
    if let given, given.contains(name) { return try given.data(name) }
    guard let data = made[name] else { throw .missingFile(file: "\(path) (\(name))") }
    return data
  }

  package func weights(of component: String) throws(WeightFileError) -> Checkpoint {
    let tensors = components[component]?.tensors ?? []
    return Checkpoint(file, tensors: tensors, label: "\(path) (\(component))")
  }

  package func ownName(of tensor: String, in component: String) -> String {
    components[component]?.foreignName[tensor] ?? tensor
  }
}
