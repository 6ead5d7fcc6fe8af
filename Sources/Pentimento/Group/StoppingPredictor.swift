import Editing
import Synchronization
import Tensors

/// Evaluations of one run among several.
final class EvaluationCount: Sendable {
  private let count = Mutex(0)
  var value: Int { count.withLock { $0 } }
  func add(_ more: Int) { count.withLock { $0 += more } }
}

/// Ends a run where it next asks for something, once it is to stop.
struct StoppingPredictor: NoisePredictor {
  let base: any NoisePredictor
  let isStopped: @Sendable () -> Bool

  func predict(_ queries: [NoiseQuery]) async throws -> [NoisePrediction] {
    if isStopped() { throw CancellationError() }
    return try await base.predict(queries)
  }
}

/// The same for gradients.
struct StoppingDerivative: NoiseDerivative {
  let base: any NoiseDerivative
  let isStopped: @Sendable () -> Bool

  func contextGradient(
    _ query: NoiseQuery, of loss: SquaredLoss
  ) async throws -> (loss: Double, gradient: HostTensor) {
    if isStopped() { throw CancellationError() }
    return try await base.contextGradient(query, of: loss)
  }
}
