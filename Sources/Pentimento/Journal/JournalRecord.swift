import Editing
import Files
import Tensors

/// One record of a journal's file. All numbers are little endian, texts UTF-8 with their length before them.
///
///     header    0  version UInt32  count UInt32  (name, value, shown) …
///     appended  1  key  entry
///     kept      2  key  entry
///     entry     count UInt32  (name, bits of a Double) …  count UInt32  (name, rank UInt32, sides UInt64 …, Float32 …) …
enum JournalRecord: Sendable {
  case header(RunIdentity)
  case appended(String, JournalEntry)
  case kept(String, JournalEntry)

  /// What a record is, without its entry.
  enum What {
    case header(RunIdentity)
    case appended(String)
    case kept(String)
  }

  static let version: UInt32 = 1

  func isKept(_ key: String) -> Bool { if case .kept(key, _) = self { true } else { false } }

  // MARK: Write

  var encoded: RecordFile.NewRecord {
    let (opening, tensors) = parts
    let count = opening.count + tensors.reduce(0) { $0 + $1.head.count + 4 * $1.tensor.count }
    return RecordFile.NewRecord(count: count) { (writer) throws(FileError) in
      try writer.put(opening)
      for (head, tensor) in tensors {
        try writer.put(head)
        try writer.put(tensor.values)
      }
    }
  }

  /// Everything before the tensors, and each tensor with what is said before its numbers.
  private var parts: (opening: [UInt8], tensors: [(head: [UInt8], tensor: HostTensor)]) {
    var bytes: [UInt8] = []
    let entry: JournalEntry
    switch self {
    case .header(let identity):
      bytes = [0] + little(Self.version) + little(UInt32(identity.ties.count))
      for tie in identity.ties { bytes += text(tie.name) + text(tie.value) + text(tie.shown) }
      return (bytes, [])
    case .appended(let key, let given): (bytes, entry) = ([1] + text(key), given)
    case .kept(let key, let given): (bytes, entry) = ([2] + text(key), given)
    }
    bytes += little(UInt32(entry.numbers.count))
    for (name, number) in entry.numbers.sorted(by: { $0.key < $1.key }) {
      bytes += text(name) + little(number.bitPattern)
    }
    bytes += little(UInt32(entry.tensors.count))
    let tensors = entry.tensors.sorted { $0.key < $1.key }.map { name, tensor in
      let sides = tensor.shape.flatMap { little(UInt64($0)) }
      return (text(name) + little(UInt32(tensor.shape.count)) + sides, tensor)
    }
    return (bytes, tensors)
  }

  // MARK: Read

  /// - Throws: `RecordFileError.damaged`, `JournalVersion`; `FileError`.
  static func what(_ record: RecordFile.Record, of file: RecordFile) throws -> What {
    var reader = JournalReader(record, of: file)
    switch try reader.byte() {
    case 0:
      let found = try reader.word()
      guard found == version else { throw JournalVersion(found: Int(found)) }
      let count = try reader.word()
      return .header(
        RunIdentity(
          ties: try (0..<count).map { _ in
            try .init(reader.text(), value: reader.text(), shown: reader.text())
          }))
    case 1: return .appended(try reader.text())
    case 2: return .kept(try reader.text())
    default: throw reader.damage
    }
  }

  static func entry(_ record: RecordFile.Record, of file: RecordFile) throws -> JournalEntry {
    var reader = JournalReader(record, of: file)
    _ = (try reader.byte(), try reader.text())
    var entry = JournalEntry()
    for _ in 0..<(try reader.word()) {
      let name = try reader.text()
      entry.numbers[name] = Double(bitPattern: try reader.longWord())
    }
    for _ in 0..<(try reader.word()) {
      let name = try reader.text()
      entry.tensors[name] = try reader.tensor()
    }
    return entry
  }
}

/// A journal of another version of this program.
struct JournalVersion: Error { var found: Int }

private func little<Word: FixedWidthInteger>(_ word: Word) -> [UInt8] {
  withUnsafeBytes(of: word.littleEndian) { Array($0) }
}

private func text(_ text: String) -> [UInt8] {
  let bytes = Array(text.utf8)
  return little(UInt32(bytes.count)) + bytes
}

/// Reads the parts of a record one after another. Its check has passed, so that whatever does not fit was never written
/// by this program.
private struct JournalReader {
  private let file: RecordFile
  private let end: Int
  private let start: Int
  private var position: Int

  init(_ record: RecordFile.Record, of file: RecordFile) {
    (self.file, start, end) = (file, record.range.lowerBound, record.range.upperBound)
    position = start
  }

  var damage: RecordFileError { .damaged(at: start) }

  private mutating func bytes(_ count: Int) throws -> [UInt8] {
    guard count <= end - position else { throw damage }
    var bytes = [UInt8](repeating: 0, count: count)
    try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: position) }
    position += count
    return bytes
  }

  mutating func byte() throws -> UInt8 { try bytes(1)[0] }
  mutating func word() throws -> UInt32 {
    try bytes(4).reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }
  mutating func longWord() throws -> UInt64 {
    try bytes(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
  mutating func text() throws -> String { String(decoding: try bytes(Int(word())), as: UTF8.self) }

  mutating func tensor() throws -> HostTensor {
    var (shape, count) = ([Int](), 1)
    for _ in 0..<(try word()) {
      guard let side = Int(exactly: try longWord()) else { throw damage }
      let (product, overflows) = count.multipliedReportingOverflow(by: side)
      guard !overflows else { throw damage }
      shape.append(side)
      count = product
    }
    guard count <= (end - position) / 4 else { throw damage }
    var values = [Float](repeating: 0, count: count)
    try values.withUnsafeMutableBytes { try file.read(into: $0, at: position) }
    position += 4 * count
    return HostTensor(shape: shape, values: values)
  }
}
