import Platform

/// Why a file could not be reached, read or written, whatever it was to hold.
///
/// `file` is what the reader calls it: its path, or its place in a model folder (`unet/config.json`).
public enum FileError: Error, Equatable, Sendable {
  // Reaching the file.
  case missing(file: String)
  case unreadable(file: String, reason: String)
  case notARegularFile(file: String)
  case linkLoop(file: String)
  case readFailed(file: String, reason: String)
  /// Shorter than what it has to hold; bytes.
  case truncated(file: String, needs: Int, has: Int)

  // Writing a file.
  case writeFailed(file: String, reason: String)
  case outputIsFolder(file: String)
  /// A device, a pipe or a socket.
  case outputIsNoFile(file: String)
  case outputFolderMissing(file: String, folder: String)
  case nameTooLong(file: String)

  /// Nothing is wrong with the file.
  case refused(SystemRefusal)

  /// It is about a file that was to be written.
  package var isAboutWriting: Bool {
    switch self {
    case .writeFailed, .outputIsFolder, .outputIsNoFile, .outputFolderMissing, .nameTooLong: true
    case .missing, .unreadable, .notARegularFile, .linkLoop, .readFailed, .truncated, .refused: false
    }
  }
}

extension FileError: CustomStringConvertible {
  public var description: String {
    switch self {
    case .missing(let file):
      "\(file): there is no such file; check the path"
    case .unreadable(let file, let reason):
      "\(file): cannot be opened (\(reason)); check its permissions"
    case .notARegularFile(let file):
      "\(file): is not a file but a folder or a device; name the weight file itself"
    case .linkLoop(let file):
      "\(file): is a symbolic link that leads back to itself; name the file that is meant"
    case .readFailed(let file, let reason):
      "\(file): reading failed (\(reason)); check the disk or card and copy the file again"
    case .truncated(let file, let needs, let has):
      "\(file): is cut off: it needs \(needs) bytes and has \(has); download it again"
    case .writeFailed(let file, let reason):
      "\(file): cannot be written (\(reason)); check free space and permissions"
    case .outputIsFolder(let file):
      "\(file): cannot be written, it is a folder; name a file in it"
    case .outputIsNoFile(let file):
      "\(file): cannot be written, it is a device or a pipe; name a file"
    case .outputFolderMissing(let file, let folder):
      "\(file): cannot be written, there is no folder \(folder); create it first"
    case .nameTooLong(let file):
      "\(file): cannot be written, the name is too long for its folder; name a shorter one"
    case .refused(let refusal):
      refusal.description
    }
  }
}

extension FileError: CarriesRefusal {
  package var refusal: SystemRefusal? { if case .refused(let refusal) = self { refusal } else { nil } }
}

// What a failed call of the system means for a file: the one place that reads `errno` for it.
extension FileError {
  /// After opening a file that is to be read.
  static func opening(_ file: String, _ code: Int32 = errno) -> FileError {
    switch code {
    case ENOENT, ENOTDIR: .missing(file: file)
    case ELOOP: .linkLoop(file: file)
    default: SystemRefusal(openFiles: code).map(Self.refused) ?? .unreadable(file: file, reason: words(code))
    }
  }

  /// After opening, writing or placing a file that is to be written.
  static func writing(_ file: String, _ code: Int32 = errno) -> FileError {
    switch code {
    case ENAMETOOLONG: .nameTooLong(file: file)
    default: SystemRefusal(openFiles: code).map(Self.refused) ?? .writeFailed(file: file, reason: words(code))
    }
  }

  /// After mapping `bytes` of a file.
  static func mapping(_ file: String, bytes: Int, _ code: Int32 = errno) -> FileError {
    code == ENOMEM
      ? .refused(.memory(bytes: bytes, code: code))
      : .unreadable(file: file, reason: "it cannot be mapped: \(words(code))")
  }

  /// The C library's words.
  static func words(_ code: Int32 = errno) -> String { String(cString: strerror(code)) }
}
