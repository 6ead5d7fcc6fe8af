import FoundationEssentials
import WeightStorage

/// A Stable Diffusion 1, 2 or XL model in one file of tensors, safetensors or GGUF, with the names of its first
/// publication (`model.diffusion_model.input_blocks.0.0.weight`), read as the diffusers folder that it could be.
///
/// Nothing is converted: names and shapes are translated, the bytes stay where they are. A file may lack networks, its
/// noise network excepted, if they come from other files (`ComposedModel`).
package struct SingleFileModel: ModelFiles {
  package let path: String
  package let notes: [String]
  let description: ModelDescription
  private let networks: [String: Checkpoint]
  /// The small files that a folder would have, made from the tensors' names and shapes.
  private let made: [String: Data]
  /// Small files that the user gave; they go before those made.
  private let given: DiffusersFolder?

  /// - Parameters:
  ///   - configuration: a folder in diffusers layout whose configurations and tokenizers hold instead of what the
  ///     names and shapes say; its weights are not looked at.
  ///   - prediction: what the network predicts, `epsilon` or `v_prediction`; nil for what the file says.
  ///   - spacing: of its timesteps, `leading` or `trailing`; nil for what the file says.
  ///   - elsewhere: components that come from other files, and what would be wrong with them here does not matter.
  /// - Throws: `WeightFileError`: the file is damaged, no whole model, or has a tensor that nobody knows.
  package init(
    path: String, configuration: DiffusersFolder? = nil, prediction: String? = nil, spacing: String? = nil,
    elsewhere: Set<String> = []
  ) throws(WeightFileError) {
    self.path = path
    let file = try openTensorFile(path: path)
    let names = NameTree(file.tensors.map(\.name))
    if let format = file.texts["format"], format.hasPrefix("pentimento ") {
      throw .notAWholeModel(file: path, reason: "it is a \(format); name a model, and this file by its own option")
    }
    if let reason = Stranger.reason(file.tensors) { throw .notAWholeModel(file: path, reason: reason) }
    guard let denoiser = Place.of("unet", in: names.leaves) else {
      if let lone = Self.loneNetwork(names.leaves) { throw .loneNetwork(file: path, network: lone) }
      throw .notAWholeModel(
        file: path,
        reason: "it has no tensor of a noise network (model.diffusion_model.…); check what was downloaded")
    }
    let family = Family(denoiser: file.tensors, prefix: denoiser.prefix)
    var table = KeyTable(names: names, family: family)
    var missing: [String] = []
    for component in family.components {
      if let place = Place.of(component, in: names.leaves) {
        table.add(component, at: place)
      } else if !elsewhere.contains(component) {
        missing.append(component)
      }
    }
    guard missing.isEmpty else { throw WeightFileError.lacksNetworks(file: path, networks: missing) }

    var description = ModelDescription(family: family, prediction: prediction, file: path)
    (description.names, description.metadata, description.spacing) = (names.leaves, file.texts, spacing)
    var made = description.files
    var networks: [String: Checkpoint] = [:]
    for (component, tensors) in try TranslatedTensors.all(of: file, table)
    where !elsewhere.contains(component) {
      let weights = tensors.checkpoint(of: component, in: file, table)
      networks[component] = weights
      if configuration?.contains("\(component)/config.json") != true {
        made["\(component)/config.json"] = try description.configuration(of: component, weights)
      }
    }
    (self.description, self.networks, self.made, given) = (description, networks, made, configuration)
    let schedule = "scheduler/scheduler_config.json"
    if let configuration, configuration.contains(schedule) {
      let said = try? configuration.json(schedule)["prediction_type"].string()
      notes = description.notes(besideConfiguration: said ?? "epsilon", of: configuration.path)
    } else {
      notes = description.notes
    }
  }

  /// The network that a file without a noise network holds.
  private static func loneNetwork(_ names: Set<String>) -> String? {
    TinyAutoencoderFile.isIn(names)
      ? "vae" : ["vae", "text_encoder", "text_encoder_2"].first { Place.of($0, in: names) != nil }
  }

  /// Whether a file is meant as a whole model.
  package static func isModel(_ file: any TensorFile) -> Bool {
    file.tensors.contains { $0.name.hasPrefix("model.diffusion_model.") }
  }

  package var usesPublishedVocabulary: Bool { given?.contains("tokenizer/vocab.json") != true }

  package func has(_ component: String) -> Bool {
    networks[component] != nil || ["tokenizer", "scheduler"].contains(component)
      || component == "tokenizer_2" && description.family == .sdxl
  }

  package func contains(_ name: String) -> Bool { given?.contains(name) == true || made[name] != nil }

  package func label(_ name: String) -> String {
    guard let given, given.contains(name) else { return path }
    return "\(given.path)/\(name)"
  }

  package func data(_ name: String) throws(WeightFileError) -> Data {
    if let given, given.contains(name) { return try given.data(name) }
    guard let data = made[name] else { throw .file(.missing(file: "\(path) (\(name))")) }
    return data
  }

  package func weights(of component: String) throws(WeightFileError) -> Checkpoint {
    guard let weights = networks[component] else { throw .missingWeights(folder: "\(path) (\(component))") }
    return weights
  }
}
