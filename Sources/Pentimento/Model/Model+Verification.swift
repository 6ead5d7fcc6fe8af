import WeightStorage

extension Model {
  /// Compares the containers that weights come from with their hashes, each at its first use; a container that was
  /// verified before and has not changed costs nothing. Whoever computes from a model calls it first.
  ///
  /// - Parameter progress: told bytes done, of how many in this container; throws to end it.
  /// - Throws: `WeightFileError.damagedTensor` naming the first tensor that differs; `CancellationError`.
  public func verify(
    progress: (_ done: Int, _ total: Int) throws -> Void = { _, _ in try Task.checkCancellation() }
  ) throws {
    for weights in components.map(\.checkpoint) { try weights.verifyIfNew(progress: progress) }
  }

  /// Takes containers as they are: one that was written a moment ago, or one that is to be computed from whatever it
  /// holds.
  package func assumeVerified() throws {
    for weights in components.map(\.checkpoint) { try weights.assumeVerified() }
  }
}
