import Platform
import Synchronization

/// A file that is put in its place when all of it is on disk: whoever opens the path sees the old file or the new one,
/// and a run that is stopped leaves nothing under that name.
///
/// Until then it has no name where the file system knows such files, so that one who is killed leaves nothing; else
/// it is a draft, which a later run removes (`Draft`). What is replaced keeps its permissions. Any call that fails
/// leaves the old file: bytes count as written when they were flushed, synced and closed without an error, and after a
/// write that failed the file cannot be put in place any more, whether the caller has heard of it or not.
package final class PartialFile: Sendable {
  /// As the caller calls it.
  package let path: String
  private let place: OutputPlace
  private let descriptor: Int32
  private let state: Mutex<State>

  private struct State {
    /// Its name for now, if it has one.
    var draft: String?
    var isOpen = true
    /// What follows `position` and is not written yet.
    var tail: [UInt8] = []
    var position = 0
    var released = 0
    /// Of the first write that failed.
    var failure: FileError?
  }

  /// Bytes that are gathered before they are written.
  private static let tailBytes = 64 << 10
  /// Written pages beyond this are taken from the page cache, which counts under a memory limit.
  private static let cachedBytes = 1 << 20
  /// What a file takes while it is written: the tail, the pages that are filled, and those on their way to the disk.
  package static let writingBytes = tailBytes + 2 * cachedBytes

  /// Makes an empty file beside `path`, which stays as it is.
  ///
  /// - Throws: `outputIsFolder`, `outputIsNoFile`, `outputFolderMissing`, `nameTooLong`, `writeFailed`, `refused`.
  package init(path: String) throws(FileError) {
    self.path = path
    place = try OutputPlace(path)
    Draft.removeAbandoned(in: place.folder)
    var draft: String?
    var descriptor = Self.openUnnamed(in: place.folder)
    if descriptor < 0 {
      guard let (name, named) = Draft.open(in: place.folder) else { throw .writing(path) }
      (draft, descriptor) = (name, named)
    }
    self.descriptor = descriptor
    state = Mutex(State(draft: draft))
  }

  deinit { discard() }

  /// Throws what `init` throws: what of writing to `path` can be known before there is anything to write.
  package static func check(_ path: String) throws(FileError) { _ = try PartialFile(path: path) }

  /// A file without a name, or -1. It gets its name through /proc, which a closed-off environment may lack.
  private static func openUnnamed(in folder: String) -> Int32 {
    guard unnamedFile != 0, access("/proc/self/fd", X_OK) == 0 else { return -1 }
    return open(folder, O_WRONLY | O_CLOEXEC | unnamedFile, 0o666)
  }

  // MARK: Writing

  /// Adds bytes to the end of what was written this way. They are gathered: an error may come with a later call.
  package func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    try state.withLock { (state) throws(FileError) in
      var rest = bytes[...]
      while !rest.isEmpty {
        // What is longer than the tail need not go through it.
        if state.tail.isEmpty, rest.count >= Self.tailBytes {
          let part = rest.prefix(Self.cachedBytes)
          try put(UnsafeRawBufferPointer(rebasing: part), at: state.position, &state)
          state.position += part.count
          rest = rest.dropFirst(part.count)
        } else {
          let part = rest.prefix(Self.tailBytes - state.tail.count)
          state.tail += part
          rest = rest.dropFirst(part.count)
          if state.tail.count == Self.tailBytes { try flush(&state) }
        }
        if state.position - state.released >= Self.cachedBytes {
          // From the start each time: pages that were on their way to the disk the last time stayed.
          release(0..<state.position)
          state.released = state.position
        }
      }
    }
  }

  package func write(_ bytes: [UInt8]) throws(FileError) {
    try bytes.withRawBytes { (bytes) throws(FileError) in try write(bytes) }
  }

  /// Writes all of `bytes` from `offset` on. Not for a file that is written from its start to its end.
  package func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileError) {
    try state.withLock { (state) throws(FileError) in try put(bytes, at: offset, &state) }
  }

  package func write(_ bytes: [UInt8], at offset: Int) throws(FileError) {
    try bytes.withRawBytes { (bytes) throws(FileError) in try write(bytes, at: offset) }
  }

  /// Starts writing what is not on disk yet of a range and gives back the pages that are, so that a long file does
  /// not fill the page cache. Does not wait.
  package func release(_ range: Range<Int>) {
    guard !range.isEmpty else { return }  // length 0 would mean "to the end of the file"
    _ = posix_fadvise(descriptor, off_t(range.lowerBound), off_t(range.count), POSIX_FADV_DONTNEED)
  }

  private func flush(_ state: inout State) throws(FileError) {
    let tail = state.tail
    try tail.withRawBytes { (tail) throws(FileError) in try put(tail, at: state.position, &state) }
    state.position += tail.count
    state.tail = []
    state.tail.reserveCapacity(Self.tailBytes)
  }

  private func put(
    _ bytes: UnsafeRawBufferPointer, at offset: Int, _ state: inout State
  ) throws(FileError) {
    if let failure = state.failure { throw failure }
    var done = 0
    while done < bytes.count {
      let n = pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
      if n > 0 {
        done += n
      } else if n == 0 || errno != EINTR {
        let failure = FileError.writing(path, n == 0 ? ENOSPC : errno)
        state.failure = failure
        throw failure
      }
    }
  }

  // MARK: The steps of putting it in place

  /// Brings all of it to disk, with the permissions of the file that it replaces.
  ///
  /// - Returns: what it took.
  func prepare() throws(FileError) -> Duration {
    try state.withLock { (state) throws(FileError) in
      precondition(state.isOpen, "\(path) is put in place twice")
      if let failure = state.failure { throw failure }
      try flush(&state)
      var old = stat()
      if stat(place.path, &old) == 0, old.st_mode & S_IFMT == S_IFREG {
        if (old.st_uid, old.st_gid) != (geteuid(), getegid()) {
          _ = fchown(descriptor, old.st_uid, old.st_gid)
        }
        guard fchmod(descriptor, old.st_mode & 0o777) == 0 else { throw .writing(path) }
      }
      let start = ContinuousClock.now
      guard fsync(descriptor) == 0 else { throw .writing(path) }
      let duration = ContinuousClock.now - start
      _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
      return duration
    }
  }

  /// Closes it under the name of a draft.
  func close() throws(FileError) {
    try state.withLock { (state) throws(FileError) in
      if state.draft == nil {
        let source = "/proc/self/fd/\(descriptor)"
        let named = Draft.create(in: place.folder) {
          linkat(AT_FDCWD, source, AT_FDCWD, $0, AT_SYMLINK_FOLLOW)
        }
        guard let named else { throw .writing(path) }
        state.draft = named.name
      }
      state.isOpen = false
      // Not again after an interrupt: the descriptor may be another's by then.
      guard Platform.close(descriptor) == 0 || errno == EINTR else { throw .writing(path) }
    }
  }

  /// Takes its place.
  ///
  /// - Parameter isFinal: it is never taken back.
  /// - Returns: the way back.
  func move(isFinal: Bool) throws(FileError) -> Replacement {
    try state.withLock { (state) throws(FileError) in
      let replacement = Replacement(draft: state.draft!, place: place, isFinal: isFinal)
      guard let replacement else { throw .writing(path) }
      state.draft = nil
      return replacement
    }
  }

  /// Gives the file up; what stood under its path stays.
  func discard() {
    state.withLock { state in
      if state.isOpen { _ = Platform.close(descriptor) }
      state.isOpen = false
      if let draft = state.draft { unlink(draft) }
      state.draft = nil
    }
  }
}

extension [UInt8] {
  /// `withUnsafeBytes`, which forgets the type of the error.
  fileprivate func withRawBytes(
    _ body: (UnsafeRawBufferPointer) throws(FileError) -> Void
  ) throws(FileError) {
    var failure: FileError?
    withUnsafeBytes { bytes in
      do throws(FileError) { try body(bytes) } catch { failure = error }
    }
    if let failure { throw failure }
  }
}
