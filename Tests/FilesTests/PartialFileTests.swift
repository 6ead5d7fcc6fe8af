import Files
import Foundation
import Testing

@Suite("Partial file") struct PartialFileTests {
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func write(_ text: String, to name: String) throws {
    let file = try PartialFile(path: folder.path(name))
    try file.write(Array(text.utf8))
    try file.commit()
  }

  private func error(_ body: () throws -> Void) -> FileError? {
    do { try body() } catch { return error as? FileError }
    return nil
  }

  @Test("leaves the old file until it is put in place, and nothing else in the folder")
  func replaces() throws {
    try folder.add("a", "old")
    let file = try PartialFile(path: folder.path("a"))
    try file.write(Array("new".utf8))
    #expect(try folder.text("a") == "old")
    try file.commit()
    #expect(try folder.text("a") == "new")
    #expect(try folder.names == ["a"])
  }

  @Test("that is given up leaves the old file, and nothing else in the folder")
  func givenUp() throws {
    try folder.add("a", "old")
    do {
      let file = try PartialFile(path: folder.path("a"))
      try file.write([UInt8](repeating: 7, count: 1 << 20))
    }
    #expect(try folder.text("a") == "old")
    #expect(try folder.names == ["a"])
  }

  /// Below, at and above the 64 KB that are gathered, and above the megabyte behind which pages are dropped.
  @Test(
    "holds what was written in pieces of any length", arguments: [1, 1000, 65_535, 65_536, 65_537, 200_000])
  func pieces(length: Int) throws {
    let bytes = (0..<2_500_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 9) }
    let file = try PartialFile(path: folder.path("a"))
    for start in stride(from: 0, to: bytes.count, by: length) {
      try file.write(Array(bytes[start..<min(start + length, bytes.count)]))
    }
    try file.commit()
    #expect(try FileReader(path: folder.path("a")).bytes(0..<bytes.count) == bytes)
    #expect(try FileReader(path: folder.path("a")).count == bytes.count)
  }

  @Test("is never put in place after a write that failed, even if nobody heard of that")
  func failedWrite() throws {
    try folder.add("a", "old")
    let file = try PartialFile(path: folder.path("a"))
    try file.write(Array("new".utf8))
    // No file system takes a byte there.
    #expect(throws: FileError.self) { try file.write([1], at: .max - 1) }
    #expect(throws: FileError.self) { try file.write([2], at: 5) }
    #expect(throws: FileError.self) { try file.commit() }
    #expect(try folder.text("a") == "old")
    #expect(try folder.names == ["a"])
  }

  @Test("is written at any place, in any order") func places() throws {
    let file = try PartialFile(path: folder.path("a"))
    try file.write(Array("world".utf8), at: 6)
    try file.write(Array("hello ".utf8), at: 0)
    try file.commit()
    #expect(try folder.text("a") == "hello world")
  }

  @Test("has the permissions of the file that it replaces", arguments: [0o600, 0o640, 0o755, 0o444])
  func mode(mode: Int) throws {
    try FileManager.default.setAttributes(
      [.posixPermissions: mode], ofItemAtPath: folder.add("a", "old"))
    try write("new", to: "a")
    #expect(try folder.mode("a") == mode)
    #expect(try folder.text("a") == "new")
  }

  @Test("replaces the file behind a link, and makes the one behind a link to nothing")
  func links() throws {
    try folder.add("real/a", "old")
    try folder.link("link", to: "real/a")
    try folder.link("link2", to: folder.path("link"))
    try folder.link("dangling", to: "real/b")
    try write("new", to: "link2")
    try write("made", to: "dangling")
    #expect(try folder.text("real/a") == "new")
    #expect(try folder.text("real/b") == "made")
    for name in ["link", "link2", "dangling"] {
      #expect(throws: Never.self) {
        try FileManager.default.destinationOfSymbolicLink(atPath: folder.path(name))
      }
    }
  }

  @Test("is refused before anything is written where no file can stand") func refused() throws {
    try folder.add("file")
    try folder.link("loop", to: "loop")
    mkfifo(folder.path("pipe"), 0o600)
    let before = try folder.names
    let cases: [(String, FileError)] = [
      ("none/a", .outputFolderMissing(file: folder.path("none/a"), folder: folder.path("none"))),
      ("file/a", .outputFolderMissing(file: folder.path("file/a"), folder: folder.path("file"))),
      ("", .outputIsFolder(file: folder.path + "/")),
      ("pipe", .outputIsNoFile(file: folder.path("pipe"))),
      ("loop", .writeFailed(file: folder.path("loop"), reason: String(cString: strerror(ELOOP)))),
    ]
    for (name, expected) in cases {
      #expect(error { try PartialFile.check(folder.path(name)) } == expected)
    }
    #expect(error { try PartialFile.check("/dev/null") } == .outputIsNoFile(file: "/dev/null"))
    #expect(error { try PartialFile.check("") }?.isAboutWriting == true)
    #expect(error { try PartialFile.check("/sys/a") }?.isAboutWriting == true)
    #expect(try folder.names == before)
  }

  @Test("may have the longest name that its folder takes, and is refused with a longer one")
  func names() throws {
    let longest = String(repeating: "n", count: Int(pathconf(folder.path, Int32(_PC_NAME_MAX))))
    #expect(
      error { try PartialFile.check(folder.path(longest + "n")) }
        == .nameTooLong(file: folder.path(longest + "n")))
    try write("new", to: longest)
    #expect(try folder.text(longest) == "new")
  }

  @Test(
    "is refused in a folder that cannot be written to",
    .enabled(if: geteuid() != 0, "root may write anywhere"))
  func readOnlyFolder() throws {
    chmod(folder.path, 0o555)
    defer { chmod(folder.path, 0o755) }
    #expect(error { try PartialFile.check(folder.path("a")) }?.isAboutWriting == true)
  }
}
