import Editing
import Synchronization

/// The losses of a run, step by step.
final class Losses: Sendable {
  private let state = Mutex<[Double]>([])

  var values: [Double] { state.withLock { $0 } }

  @Sendable func add(_ loss: Double) { state.withLock { $0.append(loss) } }

  var observer: EditObserver { EditObserver(losses: add) }
}
