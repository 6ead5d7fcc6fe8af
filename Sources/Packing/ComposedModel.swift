import FoundationEssentials
import WeightStorage

/// A model of which some networks come from files of their own: a better autoencoder, or the text encoder that a file
/// of a noise network alone does not have.
struct ComposedModel: ModelFiles {
  private let base: any ModelFiles
  private let parts: [String: NetworkFile]

  /// - Throws: `noSuchNetwork`, or what is wrong with a file.
  init(
    _ base: any ModelFiles, _ paths: [String: String], configuration: DiffusersFolder? = nil,
    for described: ModelDescription
  ) throws(WeightFileError) {
    self.base = base
    var parts: [String: NetworkFile] = [:]
    for (component, path) in paths.sorted(by: { $0.key < $1.key }) {
      guard described.family.components.contains(component) else {
        throw .notOfThisModel(file: path, network: component)
      }
      parts[component] = try NetworkFile(component, at: path, configuration: configuration, for: described)
    }
    self.parts = parts
  }

  var path: String { base.path }
  var usesPublishedVocabulary: Bool { base.usesPublishedVocabulary }
  var mayOmitVocabulary: Bool {
    base.mayOmitVocabulary || parts.values.contains { $0.model?.mayOmitVocabulary == true }
  }
  var notes: [String] { base.notes }

  func has(_ component: String) -> Bool { parts[component] != nil || base.has(component) }

  func contains(_ name: String) -> Bool { part(with: name) != nil || base.contains(name) }

  func label(_ name: String) -> String {
    part(with: name).map { $0.file.label(name, of: $0.component) } ?? base.label(name)
  }

  func data(_ name: String) throws(WeightFileError) -> Data {
    if let part = part(with: name), let data = try part.file.data(name, of: part.component) { return data }
    return try base.data(name)
  }

  func weights(of component: String) throws(WeightFileError) -> Checkpoint {
    if let part = parts[component] { return part.weights }
    return try base.weights(of: component)
  }

  /// The part that a small file comes from. A text encoder out of a whole model brings its tokenizer.
  private func part(with name: String) -> (component: String, file: NetworkFile)? {
    let folder = String(name.prefix { $0 != "/" })
    let component = ["tokenizer": "text_encoder", "tokenizer_2": "text_encoder_2"][folder, default: folder]
    guard let file = parts[component], file.contains(name, of: component) else { return nil }
    return (component, file)
  }
}

/// Opens a model, whatever its layout.
///
/// - Parameters:
///   - path: a diffusers folder, a container, or a file of tensors with the names of the first publication or of a noise network.
///   - configuration: for a file: see `SingleFileModel`.
///   - prediction: what the network predicts, `epsilon` or `v_prediction`; nil for what the model says.
///   - spacing: of its timesteps, `leading` or `trailing`; nil for what the model says.
///   - parts: networks that come from other files, `["vae": path]`.
/// - Throws: `WeightFileError`.
package func openModel(
  path: String, configuration: DiffusersFolder? = nil, prediction: String? = nil, spacing: String? = nil,
  parts: [String: String] = [:]
) throws(WeightFileError) -> any ModelFiles {
  var isFolder = true
  _ = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
  let whole: (any ModelFiles)? =
    if isFolder { try DiffusersFolder(path: path) } else { try ContainerModel(at: path) }
  if let whole {
    guard !parts.isEmpty else { return whole }
    let family = Family(denoiser: try whole.weights(of: "unet").tensors)
    return try ComposedModel(
      whole, parts, for: ModelDescription(family: family, prediction: prediction, file: path))
  }
  let file = try SingleFileModel(
    path: path, configuration: configuration, prediction: prediction, spacing: spacing,
    elsewhere: Set(parts.keys))
  guard !parts.isEmpty else { return file }
  return try ComposedModel(file, parts, configuration: configuration, for: file.description)
}
