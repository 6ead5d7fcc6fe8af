import Editing
import Foundation
import Pentimento
import Tensors
import Testing

@Suite("Journal in a file") struct FileJournalTests {
  private let folder = FileManager.default.temporaryDirectory
    .appending(path: "pentimento-journal-\(UUID().uuidString)")
  private var path: String { folder.appending(path: "edit.checkpoint").path }

  init() throws { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }

  private var names: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: folder.path) }
  }
  private func size() throws -> Int { try Data(contentsOf: URL(fileURLWithPath: path)).count }

  private static func run(_ changes: (String, String?)...) -> RunIdentity {
    var identity = RunIdentity()
    for (name, value) in [("model", "m"), ("prompt", "a ball"), ("seed", "42")] {
      identity.tie(name, changes.first { $0.0 == name }.map(\.1) ?? value)
    }
    return identity
  }

  private func entry(_ number: Double) -> JournalEntry {
    JournalEntry(
      numbers: ["n": number],
      tensors: ["x": HostTensor(shape: [2, 3], values: (0..<6).map { Float(number) + Float($0) })])
  }

  /// A new journal on the file, tied.
  private func journal(_ interval: Duration = .zero) async throws -> FileJournal {
    let journal = try FileJournal(path: path, interval: interval)
    try await journal.tie(to: Self.run())
    return journal
  }

  @Test("gives back bit for bit what it was given") func bits() async throws {
    let odd = JournalEntry(
      numbers: [
        "nan": Double(bitPattern: 0x7FF8_0000_DEAD_BEEF), "zero": -0.0, "tiny": .leastNonzeroMagnitude,
      ],
      tensors: [
        "a": HostTensor(
          shape: [4], values: [-0.0, .infinity, Float(bitPattern: 1), Float(bitPattern: 0x7FC1_2345)]),
        "none": HostTensor(shape: [0, 3]), "scalar": HostTensor(shape: [], values: [7]),
      ])
    do {
      let journal = try await journal()
      try await journal.append(odd, to: "k")
      try await journal.append(entry(1), to: "k")
      try await journal.keep(odd, of: "k")
      try await journal.keep(entry(2), of: "other")
      try await journal.flush()
    }
    let (appended, kept) = try await journal().progress(of: "k")
    let first = try #require(appended.first)
    #expect(appended.count == 2 && appended[1] == entry(1))
    #expect(first.numbers.mapValues(\.bitPattern) == odd.numbers.mapValues(\.bitPattern))
    #expect(first.tensors.mapValues(\.shape) == odd.tensors.mapValues(\.shape))
    for (name, tensor) in odd.tensors {
      #expect(first.tensors[name]!.values.map(\.bitPattern) == tensor.values.map(\.bitPattern))
    }
    #expect(kept?.numbers["zero"]?.bitPattern == (-0.0).bitPattern)
    #expect(try await journal().progress(of: "other").kept == entry(2))
    #expect(try await journal().progress(of: "nothing").kept == nil)
  }

  @Test("has after a break at any byte the state at one moment of the run") func anyBreak() async throws {
    do {
      let journal = try await journal()
      for step in 1...4 {
        try await journal.append(entry(Double(10 * step)), to: "k")
        try await journal.flush()
        try await journal.keep(entry(Double(step)), of: "k")
        try await journal.flush()
      }
    }
    let whole = try Data(contentsOf: URL(fileURLWithPath: path))
    var seen: Set<Int> = []
    for count in stride(from: 0, through: whole.count, by: 7) {
      try whole.prefix(count).write(to: URL(fileURLWithPath: path))
      let (appended, kept) = try await journal().progress(of: "k")
      let steps = appended.count
      #expect(appended == (1..<max(steps + 1, 1)).map { entry(Double(10 * $0)) }, "\(count) bytes")
      // What is kept is of the step that was appended last, or of the one before.
      let step = kept.map { Int($0.numbers["n"]!) } ?? 0
      #expect(step == steps || step == steps - 1, "\(count) bytes: \(steps) appended, \(step) kept")
      seen.insert(2 * steps + step)
    }
    #expect(seen.count >= 8)
  }

  @Test("writes what comes close together in one batch, and the last of what is kept")
  func batches() async throws {
    do {
      let journal = try await journal(.seconds(1000))
      for step in 1...50 { try await journal.keep(entry(Double(step)), of: "k") }
      let before = try size()
      try await journal.flush()
      #expect(try size() - before < 200)
    }
    #expect(try await journal().progress(of: "k").kept == entry(50))
  }

  @Test("stays as small as what counts, however often something is kept") func compaction() async throws {
    let state = HostTensor(shape: [10_000])
    let journal = try await journal()
    for step in 1...100 {
      try await journal.append(entry(Double(step)), to: "k")
      try await journal.keep(JournalEntry(numbers: ["n": Double(step)], tensors: ["x": state]), of: "k")
      try await journal.flush()
      // Twice what counts, and the one that was just added.
      #expect(try size() < 3 * 45_000 + 150 * step)
    }
    let (appended, kept) = try await journal.progress(of: "k")
    #expect(appended == (1...100).map { entry(Double($0)) })
    #expect(kept?.numbers["n"] == 100)
    #expect(try names == ["edit.checkpoint"])
  }

  @Test(
    "of another run is refused by the first thing that differs",
    arguments: [
      ("model", "x", "model m, not x"), ("prompt", nil, "prompt a ball, not none"),
      ("seed", "7", "seed 42, not 7"),
    ])
  func otherRun(name: String, value: String?, words: String) async throws {
    do { try await journal().keep(entry(1), of: "k") }
    let other = try FileJournal(path: path)
    var message = ""
    do { try await other.tie(to: Self.run((name, value), ("seed", "7"))) } catch { message = "\(error)" }
    #expect(message.contains("is the checkpoint of another run (\(words)): "), "\(message)")
  }

  @Test("is used by one run at a time") func oneAtATime() async throws {
    let journal = try await journal()
    #expect(throws: JournalError.inUse(file: path)) { _ = try FileJournal(path: path) }
    await journal.remove()
    #expect(try names == [])
  }

  @Test("leaves no file where a run ends before it has come anywhere") func nothing() async throws {
    let journal = try await journal()
    await journal.leave()
    #expect(try names == [])
  }

  @Test("in the middle of which a byte has changed is refused by name") func damaged() async throws {
    do {
      let journal = try await journal()
      for step in 1...3 {
        try await journal.append(entry(Double(step)), to: "k")
        try await journal.flush()
      }
    }
    var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    bytes[bytes.count / 2] ^= 1
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    var message = ""
    do { _ = try FileJournal(path: path) } catch { message = "\(error)" }
    #expect(message.hasPrefix("\(path) is damaged at byte "), "\(message)")
  }

  @Test("that is no journal is refused and stays as it is") func otherFile() throws {
    try Data("a letter".utf8).write(to: URL(fileURLWithPath: path))
    #expect(throws: JournalError.otherFormat(file: path)) { _ = try FileJournal(path: path) }
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "a letter")
  }
}
