/// Whether what was planned can still be had while a run goes on: other processes grow too.
package struct MemoryPressure: Sendable {
  /// Of the edit that the task runs.
  @TaskLocal static var current: MemoryPressure?

  /// What the process was to hold at most, bytes.
  package var planned: Int
  /// What the kernel would let the process hold now; nil if it does not say.
  package var reachable: @Sendable () -> Int?

  package init(
    planned: Int, reachable: @escaping @Sendable () -> Int? = { ProcessMemory.reachable?.bytes }
  ) {
    (self.planned, self.reachable) = (planned, reachable)
  }

  /// When something is missing, so much more is given back, so that a slowly growing neighbour is not met with every
  /// megabyte.
  package static let margin = 8_000_000

  /// Bytes of the plan that cannot be had any more, 0 where all is well.
  package func missing() -> Int {
    guard let reachable = reachable(), reachable < planned else { return 0 }
    return planned - reachable + Self.margin
  }
}
