import Runtime
import Synchronization

/// Whether what was planned can still be had while a run goes on: other processes grow too.
package final class MemoryPressure: Sendable {
  /// Of the edit that the task runs.
  @TaskLocal static var current: MemoryPressure?

  /// What the process was to hold at most, bytes.
  package let planned: Int
  /// What the kernel would let the process hold now; nil if it does not say.
  private let reachable: @Sendable () -> Int?
  private let signs: @Sendable () -> PressureSigns
  private let state: Mutex<(last: PressureSigns, given: Int)>

  /// - Parameter signs: that memory is scarce, as the kernel counts them up.
  package init(
    planned: Int, reachable: @escaping @Sendable () -> Int? = { ProcessMemory.reachable?.bytes },
    signs: @escaping @Sendable () -> PressureSigns = PressureSigns.reader()
  ) {
    (self.planned, self.reachable, self.signs) = (planned, reachable, signs)
    state = Mutex((signs(), 0))
  }

  /// When something is missing, so much more is given back, so that a slowly growing neighbour is not met with every
  /// megabyte; and so much every time that there are signs of scarcity, which do not say how much is missing.
  package static let margin = 8_000_000

  /// Bytes of the plan that cannot be had any more, 0 where all is well.
  package func missing() -> Int {
    let now = signs()
    let given = state.withLock { state in
      if now.arePressing(since: state.last) { state.given = min(state.given + Self.margin, planned) }
      state.last = now
      return state.given
    }
    guard let reachable = reachable(), reachable < planned else { return given }
    return max(given, planned - reachable + Self.margin)
  }
}
