import Files

/// Why a checkpoint cannot be used.
public enum JournalError: Error, Equatable, CustomStringConvertible {
  /// It was begun by a run that this one would not go on with.
  case differs(file: String, Difference)
  case inUse(file: String)
  case otherFormat(file: String)
  case version(file: String, found: Int, supported: Int)
  case damaged(file: String, at: Int)

  /// What a run depends on, and how two of them differ in it.
  public struct Difference: Sendable, Equatable {
    /// "prompt"
    public var what: String
    public var made: String
    public var asked: String
  }

  public var description: String {
    switch self {
    case .differs(let file, let difference):
      "\(file) is the checkpoint of another run (\(difference)): ask for the same again to go on with it, or name "
        + "another file"
    case .inUse(let file):
      "\(file) is the checkpoint of a run that is going on: wait for its end, or name another file"
    case .otherFormat(let file):
      "\(file) is no checkpoint of a run: name a file that an interrupted one left, or one that is not there yet"
    case .version(let file, let found, let supported):
      "\(file) is a checkpoint of version \(found) and this program goes on with version \(supported): remove it to "
        + "begin again"
    case .damaged(let file, let place):
      "\(file) is damaged at byte \(place) and cannot be resumed: remove it to begin again"
    }
  }
}

extension JournalError.Difference: CustomStringConvertible {
  public var description: String {
    made == asked ? "another \(what)" : "\(what) \(made), not \(asked)"
  }
}

extension JournalError {
  init(_ error: RecordFileError, file: String) {
    switch error {
    case .inUse: self = .inUse(file: file)
    case .otherFormat: self = .otherFormat(file: file)
    case .damaged(let place): self = .damaged(file: file, at: place)
    }
  }
}
