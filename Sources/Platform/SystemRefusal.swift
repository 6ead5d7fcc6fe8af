/// The system refused a resource that a run cannot do without. Nothing is wrong with what was asked for: the same
/// run passes where there is more of it.
public enum SystemRefusal: Error, Equatable, Sendable, CustomStringConvertible {
  /// Bytes of memory, with the C library's number of the reason.
  case memory(bytes: Int, code: Int32)
  /// A thread.
  case thread(code: Int32)
  /// One more open file.
  case openFiles(code: Int32)

  public var description: String {
    switch self {
    case .memory(let bytes, let code):
      "the system refused \((bytes + 999_999) / 1_000_000) MB of memory (\(words(code))): "
        + "raise the limit on memory (ulimit -v), or use a smaller size"
    case .thread(let code):
      "the system refused a thread (\(words(code))): raise the limit on processes (ulimit -u, pids.max), "
        + "or use fewer threads"
    case .openFiles(let code):
      "the system refused to open one more file (\(words(code))): raise the limit on open files (ulimit -n)"
    }
  }

  private func words(_ code: Int32) -> String { String(cString: strerror(code)) }
}
