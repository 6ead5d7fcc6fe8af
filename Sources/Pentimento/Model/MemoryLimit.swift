/// What a process may hold in memory, and who says so.
public struct MemoryLimit: Sendable, Equatable {
  public enum Source: Sendable, Equatable {
    /// Whoever asks for the edit.
    case caller
    /// A memory control group of the process.
    case controlGroup
    /// What is free on the machine.
    case machine
    /// The address space that the process may have (`ulimit -v`).
    case addressSpace

    /// The case's own name.
    var word: String { "\(self)" }
  }

  public var bytes: Int
  public var source: Source

  public init(bytes: Int, source: Source) {
    self.bytes = bytes
    self.source = source
  }

  /// The lesser of what a caller allows and what can be had: a process that is promised more than its control group
  /// has is killed at its group's limit. Nil where neither says anything.
  static func least(allowed: Int?, reachable: MemoryLimit?) -> MemoryLimit? {
    let allowed = allowed.map { MemoryLimit(bytes: $0, source: .caller) }
    return [allowed, reachable].compactMap { $0 }.min { $0.bytes < $1.bytes }
  }
}
