import Platform

/// A file without a name in the folder for temporary files: what came through a pipe, or will go through one.
///
/// Nothing is left of it when its owner or the process ends.
package final class SpooledFile: Sendable {
  package let descriptor: Int32
  /// What errors call it.
  private let label: String

  /// - Throws: `writeFailed`, `refused`.
  package init(label: String) throws(FileError) {
    self.label = label
    let folder = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
    var descriptor: Int32 = -1
    #if os(Linux)
      if unnamedFile != 0 { descriptor = open(folder, O_RDWR | O_CLOEXEC | unnamedFile, 0o600) }
    #endif
    if descriptor < 0 {
      var name = Array("\(folder)/pentimento-XXXXXX".utf8CString)
      descriptor = mkstemp(&name)
      if descriptor >= 0 {
        unlink(name)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
      }
    }
    guard descriptor >= 0 else { throw .writing(label) }
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// The descriptor of another owner, who closes it.
  package func duplicate() throws(FileError) -> Int32 {
    let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 3)
    guard copy >= 0 else { throw .opening(label) }
    return copy
  }

  /// Adds bytes to its end.
  package func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    try Self.write(bytes, to: descriptor, label)
  }

  /// All that a pipe or a device has, until its writer closes it.
  ///
  /// - Parameters:
  ///   - limit: bytes.
  ///   - check: called while nothing comes, ten times a second; throws to end it.
  /// - Throws: `readFailed`, also beyond the limit; what `check` throws.
  package func fill(from pipe: Int32, limit: Int, check: () throws -> Void) throws {
    let piece = 1 << 16
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: piece, alignment: 64)
    defer { buffer.deallocate() }
    var total = 0
    while true {
      var wait = pollfd(fd: pipe, events: Int16(POLLIN), revents: 0)
      let ready = poll(&wait, 1, 100)
      try check()
      if ready == 0 || ready < 0 && errno == EINTR { continue }
      let count = read(pipe, buffer.baseAddress!, piece)
      if count == 0 { return }
      if count < 0 {
        if errno == EINTR || errno == EAGAIN { continue }
        throw FileError.readFailed(file: label, reason: FileError.words())
      }
      total += count
      guard total <= limit else {
        throw FileError.readFailed(file: label, reason: "more than \(limit / 1_000_000) MB come from it")
      }
      try write(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]))
    }
  }

  /// Everything that was written, into a pipe or another open file.
  ///
  /// - Returns: 0, or why not, by the C library's number.
  package func copy(to target: Int32) -> Int32 {
    let piece = 1 << 16
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: piece, alignment: 64)
    defer { buffer.deallocate() }
    var offset = 0
    while true {
      let count = pread(descriptor, buffer.baseAddress!, piece, off_t(offset))
      if count == 0 { return 0 }
      if count < 0 {
        if errno == EINTR { continue }
        return errno
      }
      offset += count
      do throws(FileError) {
        try Self.write(
          UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]), to: target, label)
      } catch {
        return errno == 0 ? EIO : errno
      }
    }
  }

  private static func write(
    _ bytes: UnsafeRawBufferPointer, to descriptor: Int32, _ label: String
  ) throws(FileError) {
    var done = 0
    while done < bytes.count {
      let n = Platform.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
      if n > 0 {
        done += n
      } else if n == 0 || errno != EINTR {
        if n == 0 { errno = ENOSPC }
        throw .writing(label)
      }
    }
  }
}
