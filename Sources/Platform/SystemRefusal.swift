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

extension SystemRefusal {
  /// What opening a file failed with, if it says that there are too many open already, in this process (EMFILE) or
  /// in all of them (ENFILE), or that the kernel has no memory for one more.
  package init?(openFiles code: Int32) {
    switch code {
    case EMFILE, ENFILE, ENOMEM: self = .openFiles(code: code)
    default: return nil
    }
  }

  /// The refusal that an error is or carries.
  package init?(in error: any Error) {
    guard let refusal = error as? SystemRefusal ?? (error as? any CarriesRefusal)?.refusal else { return nil }
    self = refusal
  }
}

/// An error of a room that can be, in truth, the system's refusal: found there by `SystemRefusal(in:)`.
package protocol CarriesRefusal: Error {
  var refusal: SystemRefusal? { get }
}
