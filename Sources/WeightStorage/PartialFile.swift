import FoundationEssentials
import Platform
import Synchronization

/// A file that is put in its place when all of it is on disk: whoever opens the path sees the old file or the new one,
/// and a run that is stopped leaves nothing under that name.
///
final class PartialFile: Sendable {
  let path: String
  private let partial: String
  private let descriptor: Int32
  private let isNamed: Bool
  private let isCommitted = Atomic(false)

  /// - Throws: `outputIsFolder`, `outputFolderMissing`, `writeFailed`.
  init(path: String) throws(WeightFileError) {
    guard !FileReader.isFolder(path) else { throw .outputIsFolder(file: path) }
    guard !FileReader.isLinkLoop(path) else { throw Self.failure(path) }
    let folder = Self.folder(of: path)
    guard FileReader.isFolder(folder) else { throw .outputFolderMissing(file: path, folder: folder) }
    self.path = path
    partial = "\(path).\(getpid())-\(UInt32.random(in: 0...UInt32.max)).partial"
    // The macro O_TMPFILE is not imported; its own bit is the same on every Linux this runs on.
    let unnamed = open(folder, O_WRONLY | 0o20000000 | O_DIRECTORY | O_CLOEXEC, 0o666)
    // It gets its name through /proc, which a closed-off environment may lack.
    if unnamed >= 0, access(Self.place(unnamed), F_OK) == 0 {
      (descriptor, isNamed) = (unnamed, false)
      return
    }
    if unnamed >= 0 { close(unnamed) }
    isNamed = true
    descriptor = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw Self.failure(path) }
  }

  deinit {
    close(descriptor)
    if isNamed, !isCommitted.load(ordering: .relaxed) { unlink(partial) }
  }

  private static func folder(of path: String) -> String {
    URL(fileURLWithPath: path).deletingLastPathComponent().path
  }

  private static func place(_ descriptor: Int32) -> String { "/proc/self/fd/\(descriptor)" }

  /// Writes all of `bytes` from `offset` on.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(WeightFileError) {
    var done = 0
    while done < bytes.count {
      let n = pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
      if n > 0 { done += n } else if errno != EINTR { throw Self.failure(path) }
    }
  }

  func write(_ bytes: [UInt8], at offset: Int) throws(WeightFileError) {
    var failure: WeightFileError?
    bytes.withUnsafeBytes { buffer in
      do throws(WeightFileError) { try write(buffer, at: offset) } catch { failure = error }
    }
    if let failure { throw failure }
  }

  /// Starts writing what is not on disk yet of a range and gives back the pages that are, so that a long file does
  /// not fill the page cache. Does not wait.
  func release(_ range: Range<Int>) {
    guard !range.isEmpty else { return }  // length 0 would mean "to the end of the file"
    _ = posix_fadvise(descriptor, off_t(range.lowerBound), off_t(range.count), POSIX_FADV_DONTNEED)
  }

  /// Puts the file in place.
  ///
  /// - Returns: what it took to bring to disk what was not there yet.
  @discardableResult func commit() throws(WeightFileError) -> Duration {
    let start = ContinuousClock.now
    guard fsync(descriptor) == 0 else { throw Self.failure(path) }
    let duration = ContinuousClock.now - start
    // A link cannot replace a file, but a rename can.
    if !isNamed,
      linkat(AT_FDCWD, Self.place(descriptor), AT_FDCWD, partial, AT_SYMLINK_FOLLOW) != 0
    {
      throw Self.failure(path)
    }
    guard rename(partial, path) == 0 else {
      let failure = Self.failure(path)
      unlink(partial)
      throw failure
    }
    isCommitted.store(true, ordering: .relaxed)
    // Makes the new name last through a power cut too. The file itself is safe already, so failing is no error.
    let folder = open(Self.folder(of: path), O_RDONLY | O_CLOEXEC)
    guard folder >= 0 else { return duration }
    fsync(folder)
    close(folder)
    return duration
  }

  private static func failure(_ path: String) -> WeightFileError {
    .writeFailed(file: path, reason: String(cString: strerror(errno)))
  }
}
