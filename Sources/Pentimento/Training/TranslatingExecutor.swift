import Editing
import Kernels
import Runtime
import StableDiffusion
import Tensors

/// A translation network from its file for one working size, computing on a thread of its own.
actor TranslatingExecutor: LatentTranslator {
  private nonisolated let thread: NetworkThread
  private let executor: Executor
  private let label: String

  init(_ stage: Stage, pool: ThreadPool, on thread: NetworkThread) throws {
    self.thread = thread
    executor = try Executor(stage.graph, stage.plan, weights: stage.weights, pool: pool)
    label = stage.weights.label
  }

  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  /// - Throws: `ModelError.notFinite` where damaged weights leave no latent; what a run of the executor throws.
  func translate(_ latent: Latent, task: Int) async throws -> Latent {
    let inputs = ["latent": latent.tensor, "task": HostTensor(shape: [1], values: [Float(task)])]
    let out = Latent(try executor.run([inputs])[0]["out"]!)
    guard out.isFinite else { throw ModelError.notFinite(part: label) }
    return out
  }
}
