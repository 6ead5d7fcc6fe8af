import Editing
import Kernels
import Runtime
import StableDiffusion
import Synchronization
import Tensors

/// One model, the threads and the memory to run edits on it.
///
///     let job = try editor.prepare(request)        what it takes, or why it cannot be
///     let result = try await job.run()
public struct Editor: Sendable {
  public let model: Model
  public let threads: Int
  /// What the process may hold in all, nil for no limit. Where the weights do not fit, they are read again and again;
  /// the result is the same.
  public let memoryLimit: MemoryLimit?
  /// What the process held when the editor was made, and what the kernel counts beside what an edit asks for; bytes.
  let baseline: Int
  let pool: ThreadPool
  package let identity: ModelIdentity

  /// - Parameter maximumMemory: bytes that the process may hold in all. Its control groups and what is free on the
  ///   machine count too: the least holds.
  /// - Throws: `SystemRefusal.thread` if the system has not so many threads.
  public init(model: Model, threads: Int, maximumMemory: Int? = nil) throws {
    try self.init(
      model: model, threads: threads, maximumMemory: maximumMemory, reachable: ProcessMemory.reachable)
  }

  /// - Parameters:
  ///   - reachable: what the kernel would let the process take.
  ///   - baseline: bytes that the process holds already, and that the kernel counts beside what an edit asks for.
  ///   - kernels: those that compute.
  package init(
    model: Model, threads: Int, maximumMemory: Int?, reachable: MemoryLimit?,
    baseline: Int = ProcessMemory.resident + ProcessMemory.overhead, kernels: KernelSet = .chosen
  ) throws {
    self.model = model
    self.threads = threads
    memoryLimit = .least(allowed: maximumMemory, reachable: reachable)
    pool = try ThreadPool(threads: threads, kernels: kernels)
    self.baseline = baseline
    identity = ModelIdentity(of: model)
  }
}

extension Editor {
  /// The same editor with another model.
  init(_ editor: Editor, model: Model) {
    (self.model, threads, memoryLimit) = (model, editor.threads, editor.memoryLimit)
    (baseline, pool, identity) = (editor.baseline, editor.pool, ModelIdentity(of: model))
  }
}

/// The hash of an editor's model, taken when an edit first asks for it and kept.
package final class ModelIdentity: Sendable {
  private let model: Model
  private let state = Mutex<(value: String?, hashes: Int)>((nil, 0))

  init(of model: Model) { self.model = model }

  /// How often the model was hashed.
  package var hashes: Int { state.withLock { $0.hashes } }

  /// - Throws: what `Model.identity` throws.
  func value() throws -> String {
    try state.withLock { state in
      if let value = state.value { return value }
      state.hashes += 1
      let value = try model.identity()
      state.value = value
      return value
    }
  }
}

/// Parts of an edit for those who look at one network alone. Nothing of them counts against the limit.
extension Editor {
  private var stages: Stages { Stages(model: model, threads: threads, budget: nil) }

  package var codec: PictureCodec {
    let stages = stages
    return PictureCodec(
      model: model, pool: pool, encoder: { try stages.encoder(width: $0, height: $1) },
      decoder: { try stages.decoder(width: $0, height: $1) })
  }

  private var promptEncoder: PromptEncoder {
    get throws {
      PromptEncoder(
        model: model, pool: pool, stages: try model.textEncoders.indices.map { try stages.textEncoder($0) })
    }
  }

  package func encode(
    _ texts: [String], negativePrompt: String?, syntax: PromptSyntax = .plain, width: Int, height: Int
  ) throws -> EncodedPrompts {
    let texts = PromptEncoder.Texts(prompts: texts, negativePrompt: negativePrompt, syntax: syntax)
    var encoder = try promptEncoder
    encoder.contexts = try model.contexts(of: texts.all)
    return try encoder.encode([texts], width: width, height: height)[0]
  }

  package func textStates(_ texts: [String], encoder index: Int) throws -> [TextStates] {
    try promptEncoder.states(of: texts, encoder: index)
  }

  /// - Parameters:
  ///   - contexts: of every prompt.
  ///   - kept: values beside those that the demands ask for.
  package func noiseNetwork(
    width: Int, height: Int, contexts: Int = 1, demands: NetworkDemands = [], keeping kept: KeptValues = [],
    onEvaluation: @escaping @Sendable (NetworkWork) -> Void = { _ in }
  ) throws -> NoiseNetwork {
    try NoiseNetwork(
      stages.noise(width: width, height: height, contexts: contexts, demands: demands, keeping: kept),
      model: model,
      pool: pool, on: NetworkThread(), onEvaluation: onEvaluation)
  }
}
