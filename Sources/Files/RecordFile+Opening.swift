import Platform

extension RecordFile {
  private static let magic = Array("PntR".utf8)
  private static let blankBytes = 4096

  /// Opens the file and locks it. Whoever had it may have put another in its place meanwhile.
  static func lock(_ place: OutputPlace, _ path: String) throws -> Int32 {
    while true {
      let descriptor = open(place.path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0o666)
      guard descriptor >= 0 else { throw FileError.writing(path) }
      // A file system without locks has nobody who could be asked.
      if flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK {
        close(descriptor)
        throw RecordFileError.inUse
      }
      var (mine, named) = (stat(), stat())
      if fstat(descriptor, &mine) == 0, stat(place.path, &named) == 0, mine.st_ino == named.st_ino,
        mine.st_dev == named.st_dev
      {
        return descriptor
      }
      close(descriptor)
    }
  }

  /// Closes a file that was locked. A process that is being started may hold a copy of the descriptor for a moment, and
  /// the lock would last as long.
  static func unlock(_ descriptor: Int32) {
    flock(descriptor, LOCK_UN)
    close(descriptor)
  }

  /// The records of all completed batches. Bytes behind them are those of a batch that was not.
  ///
  /// - Throws: `RecordFileError.otherFormat`, `RecordFileError.damaged`; `FileError`.
  func scan(_ descriptor: Int32) throws -> [Record] {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw FileError.opening(path) }
    let count = Int(status.st_size)
    let first = try bytes(descriptor, 0..<min(4, count))
    // After a power cut a new file may have its length and nothing in it.
    let isBlank = count <= Self.blankBytes && first.allSatisfy { $0 == 0 }
    guard isBlank || first == Array(Self.magic.prefix(first.count)) else {
      throw RecordFileError.otherFormat
    }
    var (found, batch): ([Record], [Record]) = ([], [])
    var position = 0
    while let (record, endsBatch) = try record(descriptor, at: position, of: count),
      try isSound(record, descriptor)
    {
      batch.append(record)
      if endsBatch {
        found += batch
        batch = []
      }
      position = record.range.upperBound + 8
    }
    if position < count, try hasRecord(descriptor, behind: position, of: count) {
      throw RecordFileError.damaged(at: position)
    }
    return found
  }

  /// The record whose frame stands at a place; nil where none does, or not all of it.
  private func record(
    _ descriptor: Int32, at position: Int, of count: Int
  ) throws(FileError) -> (Record, endsBatch: Bool)? {
    guard count - position >= Record.frame else { return nil }
    let head = try bytes(descriptor, position..<position + Record.head)
    guard Array(head.prefix(4)) == Self.magic else { return nil }
    let flags = UInt32(truncatingIfNeeded: Self.word(head[4..<8]))
    guard let length = Int(exactly: Self.word(head[8..<16])), length <= count - position - Record.frame,
      head == Self.head(flags: flags, count: length, at: position)
    else { return nil }
    let start = position + Record.head
    return (Record(range: start..<start + length), flags & 1 == 1)
  }

  private func isSound(_ record: Record, _ descriptor: Int32) throws(FileError) -> Bool {
    var hash = SHA256()
    let piece = 64 << 10
    for start in stride(from: record.range.lowerBound, to: record.range.upperBound, by: piece) {
      hash.update(try bytes(descriptor, start..<min(start + piece, record.range.upperBound)))
    }
    let end = record.range.upperBound
    return Self.word(try bytes(descriptor, end..<end + 8)[...]) == Self.check(hash)
  }

  /// Whether a sound record stands anywhere behind a place. Its check knows where it stands, so that no copy of one
  /// within another's bytes is taken for it.
  private func hasRecord(
    _ descriptor: Int32, behind position: Int, of count: Int
  ) throws(FileError) -> Bool {
    let piece = 64 << 10
    for start in stride(from: position + 1, to: count, by: piece) {
      // The magic may lie across the end of a piece.
      let window = try bytes(descriptor, start..<min(start + piece + 3, count))
      for i in window.indices.dropLast(3)
      where window[i] == Self.magic[0] && Array(window[i..<i + 4]) == Self.magic {
        if let (record, _) = try record(descriptor, at: start + i, of: count),
          try isSound(record, descriptor)
        {
          return true
        }
      }
    }
    return false
  }

  private func bytes(_ descriptor: Int32, _ range: Range<Int>) throws(FileError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: range.count)
    var failure: FileError?
    bytes.withUnsafeMutableBytes { buffer in
      do throws(FileError) { try FileReader.read(descriptor, path, into: buffer, at: range.lowerBound) } catch
      {
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }

  // MARK: Frames

  static func head(flags: UInt32, count: Int, at position: Int) -> [UInt8] {
    var head = magic
    head += withUnsafeBytes(of: flags.littleEndian) { Array($0) }
    head += RecordWriter.bytes(UInt64(count))
    var hash = SHA256()
    hash.update(head)
    hash.update(RecordWriter.bytes(UInt64(position)))
    return head + RecordWriter.bytes(check(hash))
  }

  /// The first 64 bits of a hash.
  static func check(_ hash: SHA256) -> UInt64 { UInt64(hash.finalize().prefix(16), radix: 16)! }

  private static func word(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
