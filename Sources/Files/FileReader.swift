import FoundationEssentials
import Platform

/// An open file that is read at any position and is closed at deinit.
///
/// Weights that have to be packed for the kernels come through `pread`, into a window that the plan counts; those of
/// a container, which are packed already, are mapped (`FileMapping`). Under a memory limit the page cache counts too, so it holds what was
/// asked for and nothing more: the system's own read-ahead, up to 8 MB on some cards, is off; `prefetch` names what
/// is needed next, and `dropCache` gives back what is done. Reads of a megabyte or more keep a card busy.
package final class FileReader: Sendable {
  package let path: String
  /// How errors name the file: its path, or its place in a model folder (`unet/config.json`).
  package let label: String
  /// Bytes of the file when it was opened.
  package let count: Int
  private let descriptor: Int32

  /// - Throws: `missing`, `linkLoop`, `unreadable`, or `notARegularFile` for folders, pipes and devices.
  package init(path: String, label: String? = nil) throws(FileError) {
    let label = label ?? path
    // Without O_NONBLOCK, opening a pipe would wait for its writer.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .opening(label) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw .notARegularFile(file: label)
    }
    _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_RANDOM)
    self.path = path
    self.label = label
    self.count = Int(status.st_size)
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  func withDescriptor<R>(_ body: (Int32) -> R) -> R { body(descriptor) }

  /// Bytes of the file now.
  var currentCount: Int {
    var status = stat()
    return fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
  }

  /// Fills `buffer` with the bytes from `offset` on.
  ///
  /// - Throws: `truncated` if the file has become shorter, `readFailed` if the disk reports an error.
  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) {
    try Self.read(descriptor, label, into: buffer, at: offset)
  }

  /// The same of any open file.
  static func read(
    _ descriptor: Int32, _ label: String, into buffer: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws(FileError) {
    precondition(offset >= 0)
    var done = 0
    while done < buffer.count {
      let n = pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
      if n > 0 {
        done += n
      } else if n == 0 {
        throw .truncated(file: label, needs: offset + buffer.count, has: offset + done)
      } else if errno != EINTR {
        throw .readFailed(file: label, reason: FileError.words())
      }
    }
  }

  package func bytes(_ range: Range<Int>) throws(FileError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: range.count)
    var failure: FileError?
    bytes.withUnsafeMutableBytes { buffer in
      do throws(FileError) { try read(into: buffer, at: range.lowerBound) } catch { failure = error }
    }
    if let failure { throw failure }
    return bytes
  }

  /// Asks the system to start reading a range that is needed soon. Does not wait for the bytes.
  package func prefetch(_ range: Range<Int>) {
    // Of a longer piece the system would take the first 128 KB only, where that is the device's read-ahead.
    let piece = 128 << 10
    for start in stride(from: range.lowerBound, to: range.upperBound, by: piece) {
      advise(start..<min(start + piece, range.upperBound), POSIX_FADV_WILLNEED)
    }
  }

  /// Gives the cached pages of a range back to the system.
  ///
  /// The range is widened to whole pages: the system ignores pages that are covered in part, and one such page per
  /// tensor would stay for ever. A neighbour that loses a page reads it again.
  package func dropCache(_ range: Range<Int>) {
    advise(MemoryPages.touched(by: range), POSIX_FADV_DONTNEED)
  }

  /// Whether all of a range is in the page cache already. What somebody else keeps there is not ours to drop: they,
  /// or this program's other thread, would read it from disk again.
  package func isCached(_ range: Range<Int>) -> Bool {
    let start = MemoryPages.touched(by: range).lowerBound
    let length = range.upperBound - start
    guard length > 0, let pages = mmap(nil, length, PROT_READ, MAP_SHARED, descriptor, off_t(start)),
      pages != MAP_FAILED
    else { return false }
    defer { munmap(pages, length) }
    // A byte for each page, however small; the system writes as many as there are.
    var isResident = [UInt8](repeating: 1, count: length / MemoryPages.leastBytes + 1)
    return mincore(pages, length, &isResident) == 0 && isResident.allSatisfy { $0 & 1 == 1 }
  }

  private func advise(_ range: Range<Int>, _ advice: Int32) {
    guard !range.isEmpty else { return }  // length 0 would mean "to the end of the file"
    _ = posix_fadvise(descriptor, off_t(range.lowerBound), off_t(range.count), advice)
  }
}

extension FileReader {
  package static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  package static func isLinkLoop(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) != 0 && errno == ELOOP
  }

  /// What lies in a folder, sorted.
  ///
  /// - Throws: `missing` if there is no such folder, `linkLoop`, `unreadable`, `refused`.
  package static func names(in folder: String, label: String? = nil) throws(FileError) -> [String] {
    guard let entries = opendir(folder) else { throw .opening(label ?? folder) }
    defer { closedir(entries) }
    var names: [String] = []
    while let entry = readdir(entries) { names.append(entry.name) }
    return names.filter { $0 != "." && $0 != ".." }.sorted()
  }

  /// A whole small file, such as a configuration or a vocabulary.
  ///
  /// - Throws: `unreadable` above `limit` bytes, so that a wrong name cannot fill the memory.
  package static func contents(of path: String, label: String? = nil, limit: Int = 16 << 20)
    throws(FileError) -> [UInt8]
  {
    let file = try FileReader(path: path, label: label)
    guard file.count <= limit else {
      throw .unreadable(
        file: file.label, reason: "\(file.count) bytes, more than the \(limit) such a file may have")
    }
    return try file.bytes(0..<file.count)
  }
}

extension FileReader {
  /// SHA-256 of the whole file, read in pieces that leave the page cache behind them.
  ///
  /// - Throws: `truncated`, `readFailed`, `CancellationError`.
  package func hash() throws -> String { try hash(0..<count) }

  /// - Parameter check: called for every megabyte; throws to end it.
  package func hash(
    _ range: Range<Int>, check: () throws -> Void = { try Task.checkCancellation() }
  ) throws -> String {
    let piece = 1 << 20
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: piece, alignment: 64)
    defer { buffer.deallocate() }
    var hash = SHA256()
    for start in stride(from: range.lowerBound, to: range.upperBound, by: piece) {
      try check()
      let part = start..<min(start + piece, range.upperBound)
      let window = UnsafeMutableRawBufferPointer(rebasing: buffer[..<part.count])
      let wasCached = isCached(part)
      try read(into: window, at: part.lowerBound)
      hash.update(window)
      if !wasCached { dropCache(part) }
    }
    return hash.finalize()
  }
}
