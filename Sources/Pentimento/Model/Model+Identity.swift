import WeightStorage

extension Model {
  /// A hash that is the same for the same model, wherever it lies and however its weights are spread over files:
  /// of the configurations, the tokenizers, the prediction type, and a sample of every tensor (`Checkpoint.identify`).
  ///
  /// - Throws: `WeightFileError` if a file cannot be read any more.
  package func identity() throws -> String {
    var hash = SHA256()
    let tokenizerFiles = ["vocab.json", "merges.txt", "special_tokens_map.json", "tokenizer_config.json"]
    var names = ["unet/config.json", "vae/config.json", "scheduler/scheduler_config.json"]
    for suffix in textEncoders.count == 2 ? ["", "_2"] : [""] {
      names.append("text_encoder\(suffix)/config.json")
      names += tokenizerFiles.map { "tokenizer\(suffix)/\($0)" }
    }
    for name in names where files.contains(name) {
      hash.update(name)
      hash.update(SHA256.hex(of: try files.data(name)))
    }
    hash.update("predicts \(schedule.prediction.rawValue)")  // the user may know better than the files
    for adapter in (textEncoders.map(\.adapters) + [unetAdapters]).flatMap(\.values).joined().sorted(by: {
      $0.path < $1.path
    }) {
      hash.update("\(adapter.path) \(adapter.factor)")
    }
    for weights in textEncoders.map(\.weights) + [unetWeights, autoencoderWeights] {
      try weights.identify(to: &hash)
    }
    return hash.finalize()
  }
}
