import FoundationEssentials
import Glibc
import Synchronization

/// A file that is written beside its place and put there when all of it is on disk: whoever opens the path sees the
/// old file or the new one, and a run that is stopped leaves nothing under that name.
///
/// What was not committed is removed at deinit. Errors name the path, not the file beside it.
final class PartialFile: Sendable {
  let path: String
  private let partial: String
  private let descriptor: Int32
  private let isCommitted = Atomic(false)

  init(path: String) throws(WeightFileError) {
    self.path = path
    partial = "\(path).\(getpid())-\(UInt32.random(in: 0...UInt32.max)).partial"
    descriptor = open(partial, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw Self.failure(path) }
  }

  deinit {
    close(descriptor)
    if !isCommitted.load(ordering: .relaxed) { unlink(partial) }
  }

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
    guard rename(partial, path) == 0 else { throw Self.failure(path) }
    isCommitted.store(true, ordering: .relaxed)
    // Makes the new name last through a power cut too. The file itself is safe already, so failing is no error.
    let folder = open(URL(fileURLWithPath: path).deletingLastPathComponent().path, O_RDONLY | O_CLOEXEC)
    guard folder >= 0 else { return duration }
    fsync(folder)
    close(folder)
    return duration
  }

  private static func failure(_ path: String) -> WeightFileError {
    .writeFailed(file: path, reason: String(cString: strerror(errno)))
  }
}
