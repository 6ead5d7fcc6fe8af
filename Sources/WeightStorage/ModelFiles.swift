import FoundationEssentials
import JSON

/// What a model is opened from: small files, called by their place in a diffusers folder, and weights by component.
package protocol ModelFiles: Sendable {
  /// What errors call the model.
  var path: String { get }
  /// The tokenizers for which the model brings no vocabulary are CLIP's published one.
  var usesPublishedVocabulary: Bool { get }
  /// A tokenizer without `vocab.json` has the vocabulary that follows from its merges.
  var mayOmitVocabulary: Bool { get }
  /// What the user should know about how the model was read.
  var notes: [String] { get }

  /// Whether there is a component of this name, `text_encoder_2`.
  func has(_ component: String) -> Bool
  /// Whether there is a small file of this name, `tokenizer/merges.txt`.
  func contains(_ name: String) -> Bool
  /// A small file, as it is.
  func data(_ name: String) throws(WeightFileError) -> Data
  /// What errors call a small file.
  func label(_ name: String) -> String
  /// The weights of a component, validated.
  func weights(of component: String) throws(WeightFileError) -> Checkpoint
}

extension ModelFiles {
  package var usesPublishedVocabulary: Bool { false }
  package var mayOmitVocabulary: Bool { false }
  package var notes: [String] { [] }
  package func label(_ name: String) -> String { name }

  /// Any JSON file, `tokenizer/tokenizer_config.json`.
  package func json(_ name: String) throws(WeightFileError) -> ConfigValue {
    let (label, bytes) = (label(name), Array(try data(name)))
    return try configuration { () throws(ConfigurationError) in try ConfigValue(parsing: bytes, file: label) }
  }

  /// A component's configuration: `config.json`, for the scheduler `scheduler_config.json`.
  package func config(of component: String) throws(WeightFileError) -> ConfigValue {
    try json("\(component)/\(component == "scheduler" ? "scheduler_config" : "config").json")
  }
}
