import Platform

/// What tells that a file is the one that was looked at before, with the content that it had then.
///
/// Times have the resolution of the system's clock tick, a few milliseconds: of two changes within one, the second
/// does not show (`settle`).
package struct FileStamp: Sendable, Equatable {
  /// Device and number of the file.
  package let device: UInt64, inode: UInt64
  package let size: Int64
  /// Nanoseconds since 1970: when the content was last written; and when anything was, name and permissions too. The
  /// first can be set to any time, the second to none.
  let modified: Int64, changed: Int64

  /// - Throws: `readFailed` if the system does not know the open file any more.
  package init(of file: FileReader) throws(FileError) {
    var status = stat()
    guard file.withDescriptor({ fstat($0, &status) }) == 0 else {
      throw .readFailed(file: file.label, reason: FileError.words())
    }
    (device, inode, size) = (UInt64(status.st_dev), UInt64(status.st_ino), Int64(status.st_size))
    (modified, changed) = (nanoseconds(status.st_mtim), nanoseconds(status.st_ctim))
  }

  /// Whether the content is the same, whatever became of the file's name and permissions.
  package func hasContent(of other: FileStamp) -> Bool { size == other.size && modified == other.modified }

  /// Waits until a further change would show: at most two clock ticks of the slowest kernels, 20 ms.
  package func settle() {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    let rest = 20_000_000 - (nanoseconds(now) - changed)
    if (1...20_000_000).contains(rest) { usleep(UInt32(rest / 1000 + 1)) }
  }

  /// A line that says all of it.
  package var text: String { "verified 1 \(device) \(inode) \(size) \(modified) \(changed)\n" }
}

private func nanoseconds(_ time: timespec) -> Int64 {
  Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
}
