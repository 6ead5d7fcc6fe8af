import Editing
import Files
import Packing
import Platform
import Synchronization
import Tensors
import WeightStorage

/// A LoRA of the picture, trained before the picture is edited with it.
public struct LoRALearning: Sendable {
  public var training = LoRATraining()
  /// See `LoRARequest.samplesPosterior`.
  public var samplesPosterior = true
  /// A folder in which trained files stay, and are found again for the same picture, prompt, model and settings; nil for
  /// none.
  public var cache: String?

  public init() {}
}

/// The training that goes before an edit.
struct LearningJob: Sendable {
  let training: LoRAJob
  let cache: String?

  /// What the edit itself is planned with: a LoRA of the same shapes, all zeros.
  func blankModel() throws -> Model {
    let graph = training.noise.graph
    let zeros = Dictionary(
      uniqueKeysWithValues: graph.parameters.map { ($0.name, HostTensor(shape: graph.type($0.value).shape)) })
    return try model(with: zeros, nil, called: "lora")
  }

  /// The model that has learned the picture.
  ///
  /// - Returns: the model, and the training's report; nil where a file of an earlier one was there.
  func learn(
    _ picture: Picture, in journal: (any EditJournal)?,
    progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void
  ) async throws -> (model: Model, report: TrainingReport?) {
    let origin = try training.origin(of: picture)
    let name = "lora-\(origin.digest.prefix(16)).safetensors"
    let path = cache.map { "\($0)/\(name)" }
    if let path, origin.isMade(path) {
      let reference = LoRAReference(path: path)
      return (try training.editor.model.adapted(by: LoRAFile(path: path), reference), nil)
    }
    let result = try await training.run(journal, tie: { _ in }, progress)
    if let path { try result.write(to: path) }
    return (try model(with: result.factors, origin, called: name), result.report)
  }

  /// Through a file that has no name any more when this returns.
  private func model(
    with factors: [String: HostTensor], _ origin: LoRAOrigin?, called name: String
  ) throws -> Model {
    let path = TemporaryFile.path()
    defer { unlink(path) }
    let file = try PartialFile(path: path)
    try LoRAResult.write(factors, origin, into: file)
    try file.commit()
    return try training.editor.model.adapted(by: LoRAFile(path: path), LoRAReference(path: name))
  }
}

/// Names in the system's folder for files that are soon gone.
private enum TemporaryFile {
  private static let count = Atomic(0)

  static func path() -> String {
    let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    let number = count.add(1, ordering: .relaxed).newValue
    return "\(folder)/pentimento-\(getpid())-\(number).safetensors"
  }
}
