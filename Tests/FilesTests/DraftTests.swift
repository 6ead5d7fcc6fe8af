import Files
import Foundation
import Testing

@Suite("Draft") struct DraftTests {
  /// A process that has ended.
  private func gone() throws -> pid_t {
    let process = Process()
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = ["-c", "exit"]
    try process.run()
    process.waitUntilExit()
    return process.processIdentifier
  }

  @Test("of a killed run is removed by a later one, of either version; nothing else is")
  func abandoned() throws {
    let folder = try TemporaryFolder()
    let (gone, mine) = (try gone(), getpid())
    for name in [".pentimento-\(gone)-0.draft", ".pentimento-\(gone)-12.tmp"] { try folder.add(name, "half") }
    let kept = [
      ".pentimento-\(mine)-900000.draft", ".pentimento-\(gone)-.draft", ".pentimento-\(gone)-1.draft.png",
      ".pentimento-x-1.draft", ".pentimento--1.draft", "pentimento-\(gone)-1.draft", "photo.png",
    ]
    for name in kept { try folder.add(name, "kept") }
    try folder.link(".pentimento-\(gone)-7.draft", to: "photo.png")
    try FileManager.default.createDirectory(
      atPath: folder.path(".pentimento-\(gone)-8.draft"), withIntermediateDirectories: false)
    try PartialFile.check(folder.path("out"))
    let odd = [".pentimento-\(gone)-7.draft", ".pentimento-\(gone)-8.draft"]
    #expect(try folder.names == (kept + odd).sorted())
  }

  @Test("that somebody holds is left, even where its process is not seen") func held() throws {
    let folder = try TemporaryFolder()
    let path = try folder.add(".pentimento-\(gone())-0.draft")
    let descriptor = open(path, O_RDONLY)
    #expect(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
    try PartialFile.check(folder.path("out"))
    #expect(try folder.names.count == 1)
    close(descriptor)
    try PartialFile.check(folder.path("out"))
    #expect(try folder.names == [])
  }
}
