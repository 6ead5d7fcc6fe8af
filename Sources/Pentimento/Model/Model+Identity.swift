import Files
import WeightStorage

extension Model {
  /// A hash that is the same for the same model, wherever it lies and however its weights are spread over files:
  /// of the configurations, the tokenizers, the prediction type, and a sample of every tensor (`Checkpoint.identify`).
  ///
  /// - Throws: `WeightFileError` if a file cannot be read any more.
  package func identity() throws -> String {
    var hash = SHA256()
    func names(_ components: [Component]) -> [String] { components.flatMap { $0.fileNames(in: files) } }
    let all =
      names(components.filter { !$0.facts.hasTokenizer }) + ["scheduler/scheduler_config.json"]
      + names(components.filter(\.facts.hasTokenizer))
    for name in all where files.contains(name) {
      hash.update(name)
      hash.update(SHA256.hex(of: try files.data(name)))
    }
    hash.update("predicts \(schedule.prediction.rawValue)")  // the user may know better than the files
    if let spacing = hints.spacing { hash.update("spaced \(spacing.rawValue)") }
    if hints.isConsistency { hash.update("consistent") }
    // Encoders may have layers of one path.
    let adapters = components.flatMap(\.adapters.values).joined()
    for adapter in adapters.sorted(by: { ($0.path, $0.factor) < ($1.path, $1.factor) }) {
      hash.update("\(adapter.path) \(adapter.factor)")
    }
    for component in components { try component.checkpoint.identify(to: &hash) }
    return hash.finalize()
  }
}
