import Platform

/// A file that grows by batches of records at its end and survives a break at any moment: what was completed before is
/// there, of a batch that was being written nothing. One process holds it at a time.
///
///     file    record …
///     record  "PntR"  flags UInt32  length UInt64  check UInt64  bytes …  check UInt64        little endian
///
/// The first check is over what is before it and the record's place in the file, the second over the bytes. Flag 1: the
/// record ends its batch. A batch counts when it is on disk: of a file that was made longer by a batch that was not, the
/// rest is cut off on opening. A place that is wrong with sound records behind it is damage, and refused.
package final class RecordFile {
  /// A record of a completed batch.
  package struct Record: Equatable, Sendable {
    /// Of its bytes in the file.
    package var range: Range<Int>
    /// Bytes that it takes, its frame among them.
    package var size: Int { range.count + Self.frame }

    static let head = 24
    static let frame = head + 8
  }

  /// What is to become a record: its length, and what writes so many bytes.
  package struct NewRecord {
    var count: Int
    var write: (inout RecordWriter) throws(FileError) -> Void

    package init(count: Int, _ write: @escaping (inout RecordWriter) throws(FileError) -> Void) {
      (self.count, self.write) = (count, write)
    }
  }

  /// As the caller calls it.
  package let path: String
  let place: OutputPlace
  private var descriptor: Int32
  /// Of all completed batches, in order.
  package private(set) var records: [Record] = []
  /// Where the next batch begins.
  package private(set) var end = 0

  /// Opens a file, or makes an empty one.
  ///
  /// - Throws: `RecordFileError`; `FileError`.
  package init(path: String) throws {
    self.path = path
    place = try OutputPlace(path)
    descriptor = try Self.lock(place, path)
    do {
      records = try scan(descriptor)
      end = records.last.map { $0.range.upperBound + 8 } ?? 0
      guard ftruncate(descriptor, off_t(end)) == 0 else { throw FileError.writing(path) }
    } catch {
      Self.unlock(descriptor)
      descriptor = -1
      throw error
    }
  }

  /// A file without a record says nothing, and goes.
  deinit {
    if end == 0 { remove() }
    if descriptor >= 0 { Self.unlock(descriptor) }
  }

  // MARK: Writing

  /// Adds a batch and brings it to disk.
  ///
  /// - Returns: its records.
  /// - Throws: `FileError`; the file is as it was.
  @discardableResult package func append(_ batch: [NewRecord]) throws(FileError) -> [Record] {
    let added: [Record]
    do throws(FileError) {
      added = try write(batch, to: descriptor, at: end)
      guard fsync(descriptor) == 0 else { throw .writing(path) }
    } catch {
      ftruncate(descriptor, off_t(end))
      throw error
    }
    if records.isEmpty { PartialFile.sync(place.folder) }
    release(descriptor)
    records += added
    end = added.last.map { $0.range.upperBound + 8 } ?? end
    return added
  }

  /// Leaves only these records, in this order: a new file takes the place of this one when all of it is on disk.
  ///
  /// - Returns: the records where they are now.
  /// - Throws: `FileError`; the file is as it was.
  @discardableResult package func keep(only kept: [Record]) throws(FileError) -> [Record] {
    guard let (draft, fresh) = Draft.open(in: place.folder) else { throw .writing(path) }
    let copies: [Record]
    do throws(FileError) {
      let old = descriptor
      copies = try write(
        kept.map { record in
          NewRecord(count: record.range.count) { (writer) throws(FileError) in
            try writer.copy(record.range, of: old)
          }
        }, to: fresh, at: 0)
      var status = stat()
      if fstat(descriptor, &status) == 0 { _ = fchmod(fresh, status.st_mode & 0o777) }
      // Its lock is held from before it has its name: who waits for the old file finds this one taken.
      guard fsync(fresh) == 0, rename(draft, place.path) == 0 else { throw .writing(path) }
    } catch {
      close(fresh)
      unlink(draft)
      throw error
    }
    PartialFile.sync(place.folder)
    release(fresh)
    Self.unlock(descriptor)
    descriptor = fresh
    records = copies
    end = copies.last.map { $0.range.upperBound + 8 } ?? 0
    return copies
  }

  /// Takes the file away; it is of no use from there on.
  package func remove() {
    guard descriptor >= 0 else { return }
    unlink(place.path)
    Self.unlock(descriptor)
    descriptor = -1
  }

  private func write(
    _ batch: [NewRecord], to descriptor: Int32, at start: Int
  ) throws(FileError) -> [Record] {
    var writer = RecordWriter(descriptor, at: start, path: path)
    var written: [Record] = []
    for (i, record) in batch.enumerated() {
      let begin = writer.position
      let flags: UInt32 = i == batch.count - 1 ? 1 : 0
      try writer.put(Self.head(flags: flags, count: record.count, at: begin))
      writer.startCheck()
      try record.write(&writer)
      let range = begin + Record.head..<writer.position
      precondition(range.count == record.count, "\(range.count) bytes of a record of \(record.count)")
      try writer.put(RecordWriter.bytes(writer.finishCheck()))
      written.append(Record(range: range))
    }
    try writer.flush()
    return written
  }

  private func release(_ descriptor: Int32) {
    _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
  }

  // MARK: Reading

  /// Fills `buffer` with bytes of a record from `offset` of the file on.
  ///
  /// - Throws: `FileError.readFailed`, `FileError.truncated`.
  package func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) {
    try FileReader.read(descriptor, path, into: buffer, at: offset)
  }
}

/// Writes a record's bytes through a small buffer and takes their check.
package struct RecordWriter {
  private let descriptor: Int32
  private let path: String
  private var tail: [UInt8] = []
  private var written: Int
  private var hash: SHA256?

  private static let tailBytes = 64 << 10

  init(_ descriptor: Int32, at start: Int, path: String) {
    (self.descriptor, written, self.path) = (descriptor, start, path)
    tail.reserveCapacity(Self.tailBytes)
  }

  /// Where the next byte goes.
  var position: Int { written + tail.count }

  package mutating func put(_ bytes: [UInt8]) throws(FileError) {
    hash?.update(bytes)
    tail += bytes
    if tail.count >= Self.tailBytes { try flush() }
  }

  /// Numbers as they lie in memory, which is little endian on every machine that this program runs on.
  package mutating func put(_ numbers: [Float]) throws(FileError) {
    try flush()
    var failure: FileError?
    numbers.withUnsafeBytes { bytes in
      hash?.update(bytes)
      do throws(FileError) { try write(bytes) } catch { failure = error }
    }
    if let failure { throw failure }
  }

  mutating func copy(_ range: Range<Int>, of other: Int32) throws(FileError) {
    for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.tailBytes) {
      var piece = [UInt8](repeating: 0, count: min(Self.tailBytes, range.upperBound - start))
      var failure: FileError?
      piece.withUnsafeMutableBytes { bytes in
        do throws(FileError) { try FileReader.read(other, path, into: bytes, at: start) } catch {
          failure = error
        }
      }
      if let failure { throw failure }
      try put(piece)
    }
  }

  mutating func startCheck() { hash = SHA256() }

  mutating func finishCheck() -> UInt64 {
    defer { hash = nil }
    return RecordFile.check(hash!)
  }

  mutating func flush() throws(FileError) {
    var failure: FileError?
    tail.withUnsafeBytes { bytes in
      do throws(FileError) { try write(bytes) } catch { failure = error }
    }
    if let failure { throw failure }
    tail.removeAll(keepingCapacity: true)
  }

  private mutating func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    var done = 0
    while done < bytes.count {
      let n = pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, off_t(written))
      if n > 0 {
        (done, written) = (done + n, written + n)
      } else if n == 0 || errno != EINTR {
        throw .writing(path, n == 0 ? ENOSPC : errno)
      }
    }
  }

  static func bytes(_ word: UInt64) -> [UInt8] { withUnsafeBytes(of: word.littleEndian) { Array($0) } }
}

/// Why a file of records cannot be used.
package enum RecordFileError: Error, Equatable, Sendable {
  /// Another process holds it.
  case inUse
  /// It is another kind of file.
  case otherFormat
  /// At this byte, with sound records behind it.
  case damaged(at: Int)
}
