import Files
import Foundation
import Testing

@Suite("A file of lines") struct LineFileTests {
  private func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

  @Test("has what was appended, and without the part of a line that a break left") func torn() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("events")
    do {
      let (file, lines) = try #require(try LineFile.open(path))
      #expect(lines.isEmpty)
      for line in ["one", "", "three"] { try file.append(Array(line.utf8)) }
      #expect(try LineFile.open(path) == nil, "it is held")
    }
    let handle = try #require(FileHandle(forWritingAtPath: path))
    try handle.seekToEnd()
    handle.write(Data("fou".utf8))
    try handle.close()
    let (file, lines) = try #require(try LineFile.open(path))
    #expect(lines.map { String(decoding: $0, as: UTF8.self) } == ["one", "", "three"])
    try file.append(Array("four".utf8))
    #expect(try text(path) == "one\n\nthree\nfour\n")
  }

  @Test("cannot be a folder or lie in none") func refusals() throws {
    let folder = try TemporaryFolder()
    #expect(throws: FileError.self) { try LineFile.open(folder.path("none/events")) }
    #expect(throws: FileError.self) { try LineFile.open(folder.path("")) }
  }
}
