import Platform

/// A text file that only ever grows by whole lines, each on disk before `append` returns. A line that a break cut short
/// is not there. One process holds it at a time.
package final class LineFile {
  /// As the caller calls it.
  package let path: String
  private let descriptor: Int32
  /// Of complete lines, bytes.
  private var end = 0

  /// Opens a file, or makes an empty one.
  ///
  /// - Returns: it with the lines that it has; nil where another process holds it.
  /// - Throws: `FileError`.
  package static func open(_ path: String) throws(FileError) -> (file: LineFile, lines: [[UInt8]])? {
    let descriptor = Platform.open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw .writing(path) }
    let file = LineFile(path, descriptor)
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      guard errno == EWOULDBLOCK else { throw .writing(path) }
      return nil
    }
    let lines = try file.load()
    PartialFile.sync(try OutputPlace(path).folder)
    return (file, lines)
  }

  private init(_ path: String, _ descriptor: Int32) { (self.path, self.descriptor) = (path, descriptor) }

  deinit { close(descriptor) }

  private func load() throws(FileError) -> [[UInt8]] {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .writing(path) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw .outputIsNoFile(file: path) }
    var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
    var filled = 0
    while filled < bytes.count {
      let count = bytes.withUnsafeMutableBytes {
        pread(descriptor, $0.baseAddress! + filled, $0.count - filled, off_t(filled))
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw .readFailed(file: path, reason: FileError.words()) }
      filled += count
    }
    let lines = Self.wholeLines(of: bytes)
    end = lines.reduce(0) { $0 + $1.count + 1 }
    if end < bytes.count { guard ftruncate(descriptor, off_t(end)) == 0 else { throw .writing(path) } }
    return lines
  }

  /// The lines of such a file's bytes, without one that is not whole.
  package static func wholeLines(of bytes: [UInt8]) -> [[UInt8]] {
    bytes.split(separator: 10, omittingEmptySubsequences: false).dropLast().map(Array.init)
  }

  /// Adds a line and brings it to disk.
  ///
  /// - Throws: `FileError`; the file is as it was.
  /// - Precondition: there is no line feed in it.
  package func append(_ line: [UInt8]) throws(FileError) {
    precondition(!line.contains(10), "a line feed in a line")
    let bytes = line + [10]
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes {
        write(descriptor, $0.baseAddress! + written, $0.count - written)
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw cutBack() }
      written += count
    }
    guard fsync(descriptor) == 0 else { throw cutBack() }
    end += bytes.count
  }

  /// A disk that was full for a while leaves no part of a line.
  private func cutBack() -> FileError {
    let error = FileError.writing(path)
    ftruncate(descriptor, off_t(end))
    return error
  }
}
