import Files
import Foundation
import Testing

@Suite("File of records") struct RecordFileTests {
  private let folder: TemporaryFolder
  private var path: String { folder.path("log") }
  init() throws { folder = try TemporaryFolder() }

  private func record(_ text: String) -> RecordFile.NewRecord {
    RecordFile.NewRecord(count: text.utf8.count) { (writer) throws(FileError) in
      try writer.put(Array(text.utf8))
    }
  }

  private func texts(_ file: RecordFile) throws -> [String] {
    try file.records.map { record in
      var bytes = [UInt8](repeating: 0, count: record.range.count)
      try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: record.range.lowerBound) }
      return String(decoding: bytes, as: UTF8.self)
    }
  }

  /// What a new opening finds.
  private func found() throws -> [String] { try texts(RecordFile(path: path)) }

  private func write(_ batches: [String]...) throws {
    let file = try RecordFile(path: path)
    for batch in batches { try file.append(batch.map(record)) }
  }

  private var bytes: [UInt8] {
    get throws { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }
  }
  private func put(_ bytes: some Sequence<UInt8>) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path))
  }

  private func error(_ body: () throws -> Void) -> RecordFileError? {
    do { try body() } catch { return error as? RecordFileError }
    return nil
  }

  @Test("has what was written in it before, whatever its length") func reopened() throws {
    let long = String(repeating: "long ", count: 40_000)
    try write(["one"], ["two", "", long])
    try write(["five"])
    #expect(try found() == ["one", "two", "", long, "five"])
  }

  @Test("loses of a break in the last batch that batch alone, at every byte of it") func torn() throws {
    try write(["one"], ["two"])
    let sound = try bytes
    try write(["three", "four"])
    let whole = try bytes
    for count in sound.count..<whole.count {
      try put(whole.prefix(count))
      #expect(try found() == ["one", "two"], "\(count) bytes")
      #expect(try bytes == sound)
      // What was lost can be written again.
      try write(["three", "four"])
      #expect(try bytes == whole)
    }
  }

  @Test("takes a last batch whose bytes never came to disk for one that was not written") func blank() throws
  {
    try write(["one"])
    let sound = try bytes
    try write(["two"])
    let count = try bytes.count
    try put(sound + [UInt8](repeating: 0, count: count - sound.count))
    #expect(try found() == ["one"])
    // A new file too may have its length and nothing else.
    try put([UInt8](repeating: 0, count: 100))
    #expect(try found() == [])
  }

  @Test("is refused where a byte before the last batch is not what was written, at every such byte")
  func damaged() throws {
    try write(["one"], ["two"])
    let first = 24 + 3 + 8
    let sound = try bytes
    for place in 4..<first {
      var bytes = sound
      bytes[place] ^= 0x10
      try put(bytes)
      #expect(error { _ = try RecordFile(path: path) } == .damaged(at: 0), "byte \(place)")
      #expect(try self.bytes == bytes)
    }
  }

  @Test("is not taken in by a copy of a record within another's bytes") func nested() throws {
    try write(["inner"])
    let inner = try bytes
    do {
      let file = try RecordFile(path: path)
      try file.append([
        RecordFile.NewRecord(count: inner.count) { (writer) throws(FileError) in try writer.put(inner) }
      ])
    }
    // The torn batch has the bytes of a sound record in it, which is no damage.
    try put(try bytes.dropLast())
    #expect(try found() == ["inner"])
  }

  @Test("of another kind is refused and stays", arguments: ["a picture of a ball", "P", "PntX"])
  func otherFormat(text: String) throws {
    try folder.add("log", text)
    #expect(error { _ = try RecordFile(path: path) } == (text == "P" ? nil : .otherFormat))
    if text != "P" { #expect(try folder.text("log") == text) }
  }

  @Test("is held by one at a time, and goes where it has nothing in it") func held() throws {
    do {
      let file = try RecordFile(path: path)
      #expect(error { _ = try RecordFile(path: path) } == .inUse)
      withExtendedLifetime(file) {}
    }
    #expect(try folder.names == [])
  }

  @Test("has after a cleaning what was kept, and stays held") func cleaned() throws {
    do {
      let file = try RecordFile(path: path)
      let written = try file.append(["one", "two", "three"].map(record))
      let moved = try file.keep(only: [written[2], written[0]])
      #expect(try texts(file) == ["three", "one"])
      #expect(moved == file.records)
      #expect(error { _ = try RecordFile(path: path) } == .inUse)
      try file.append([record("four")])
    }
    #expect(try found() == ["three", "one", "four"])
    #expect(try folder.names == ["log"])
  }

  @Test("is taken away for good") func removed() throws {
    let file = try RecordFile(path: path)
    try file.append([record("one")])
    file.remove()
    #expect(try folder.names == [])
  }
}
