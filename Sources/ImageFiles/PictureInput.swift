import Files
import Platform

/// A file opened for reading, which stays the same file however often it is read and whatever happens to its
/// name. Closed with its last owner.
///
/// Under a memory limit the page cache counts too, so it holds what was asked for and nothing more: the system's own
/// read-ahead is off, and what has been read is given back. What comes through a pipe, or from standard input (`-`), is
/// kept in a file without a name first.
final class PictureInput: Sendable {
  let path: String
  /// When it was opened.
  let byteCount: Int
  private let descriptor: Int32

  /// From a pipe.
  private static let longestPipe = 1_000_000_000

  /// - Throws: `PictureFileError`; `SystemRefusal.openFiles`; `CancellationError` where a pipe has nothing to say.
  init(_ path: String) throws {
    let isStandardInput = path == "-"
    self.path = isStandardInput ? "standard input" : path
    // Without O_NONBLOCK, opening a pipe would wait for its writer, whom nobody could interrupt.
    let opened =
      isStandardInput
      ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard opened >= 0 else {
      switch errno {
      case ENOENT, ENOTDIR: throw PictureFileError.missing(path: path)
      case EMFILE, ENFILE: throw SystemRefusal.openFiles(code: errno)
      default: throw PictureFileError.unreadable(path: self.path, reason: currentError())
      }
    }
    do {
      descriptor = try Self.settled(opened, self.path)
    } catch {
      close(opened)
      throw error
    }
    if descriptor != opened { close(opened) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let reason = currentError()
      close(descriptor)
      throw PictureFileError.unreadable(path: self.path, reason: reason)
    }
    _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_RANDOM)
    byteCount = Int(status.st_size)
  }

  /// A descriptor of what was opened that can be read at any place: itself, or that of a copy.
  private static func settled(_ opened: Int32, _ label: String) throws -> Int32 {
    var status = stat()
    guard fstat(opened, &status) == 0 else {
      throw PictureFileError.unreadable(path: label, reason: currentError())
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG: return opened
    case S_IFDIR: throw PictureFileError.isDirectory(path: label)
    case S_IFIFO, S_IFSOCK:
      do {
        let copy = try SpooledFile(label: label)
        try copy.fill(from: opened, limit: longestPipe) { try Task.checkCancellation() }
        return try copy.duplicate()
      } catch let error as FileError {
        throw PictureFileError(error)
      }
    case S_IFCHR where isatty(opened) == 1:
      throw PictureFileError.unreadable(
        path: label, reason: "a terminal; pipe a picture into it, or name a file")
    default: throw PictureFileError.unreadable(path: label, reason: "not a regular file")
    }
  }

  deinit { close(descriptor) }

  /// Fills `bytes` from `offset` on, as far as the file goes, and gives the pages back.
  ///
  /// - Returns: how far that was; nil if the disk reports an error, which is in `errno`.
  func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) -> Int? {
    var done = 0
    while done < bytes.count {
      let n = pread(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
      if n == 0 { break }
      if n > 0 { done += n } else if errno != EINTR { return nil }
    }
    _ = posix_fadvise(descriptor, 0, off_t(offset + done), POSIX_FADV_DONTNEED)
    return done
  }
}

extension PictureInput {
  /// SHA-256 of all of it.
  ///
  /// - Throws: `PictureFileError.unreadable`, `CancellationError`.
  func hash() throws -> String {
    let cursor = InputCursor(self)
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 64)
    defer { piece.deallocate() }
    var hash = SHA256()
    while true {
      try Task.checkCancellation()
      let count = cursor.read(into: piece)
      if let failure = cursor.failure { throw PictureFileError.unreadable(path: path, reason: failure) }
      hash.update(UnsafeMutableRawBufferPointer(rebasing: piece[..<count]))
      if count < piece.count { return hash.finalize() }
    }
  }
}

/// A place in a file, with a buffer before it.
final class InputCursor {
  /// Large enough to keep a card busy.
  static let readingBytes = 1 << 18
  /// For a look at a header, which passes over most of the file.
  static let lookingBytes = 1 << 12

  let input: PictureInput
  /// Why less was read than there is.
  private(set) var failure: String?
  private var buffer: [UInt8]
  private var start = 0
  private var filled = 0
  /// Of the next byte, counted from `start`.
  private var at = 0

  init(_ input: PictureInput, bufferBytes: Int = readingBytes) {
    self.input = input
    buffer = [UInt8](repeating: 0, count: bufferBytes)
  }

  /// What a cursor that reads all of a file holds: its buffer, and the pages behind it.
  static func bytes(of input: PictureInput) -> Int { readingBytes + min(readingBytes, input.byteCount) }

  /// Of the next byte, from the start of the file.
  var position: Int { start + at }

  func skip(_ count: Int) {
    if count <= filled - at {
      at += count
    } else {
      (start, filled, at) = (position + count, 0, 0)
    }
  }

  /// Fills `bytes` as far as the file goes and returns how far that was.
  func read(into bytes: UnsafeMutableRawBufferPointer) -> Int {
    var done = 0
    while done < bytes.count {
      if at == filled, !fill() { break }
      let count = min(filled - at, bytes.count - done)
      buffer.withUnsafeBytes { source in
        (bytes.baseAddress! + done).copyMemory(from: source.baseAddress! + at, byteCount: count)
      }
      done += count
      at += count
    }
    return done
  }

  /// The next bytes, fewer at the end of the file.
  func bytes(_ count: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { bytes, done in
      done = read(into: UnsafeMutableRawBufferPointer(bytes))
    }
  }

  /// Nil at the end of the file.
  func nextByte() -> UInt8? {
    if at == filled, !fill() { return nil }
    defer { at += 1 }
    return buffer[at]
  }

  private func fill() -> Bool {
    start += filled
    (filled, at) = (0, 0)
    guard let count = buffer.withUnsafeMutableBytes({ input.read(into: $0, at: start) }) else {
      failure = currentError()
      return false
    }
    filled = count
    return count > 0
  }

  /// What to say of a file that ends where it should not, or is not what it should be.
  func damage(_ reason: String) -> PictureFileError {
    failure.map { .unreadable(path: input.path, reason: $0) } ?? .damaged(path: input.path, reason: reason)
  }
}

/// The C library's words for what just failed.
func currentError() -> String { String(cString: strerror(errno)) }
