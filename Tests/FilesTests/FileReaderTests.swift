import Files
import Foundation
import Testing

@Suite("File that is read") struct FileReaderTests {
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  @Test("is refused where it is none, under the name that the reader gives it") func refused() throws {
    try folder.link("loop", to: "loop")
    let cases: [(String, FileError)] = [
      (folder.path("none"), .missing(file: "f")), (folder.path("none/none"), .missing(file: "f")),
      (folder.path("loop"), .linkLoop(file: "f")), (folder.path, .notARegularFile(file: "f")),
      ("/dev/null", .notARegularFile(file: "f")),
    ]
    for (path, error) in cases {
      #expect(throws: error) { try FileReader(path: path, label: "f") }
    }
  }

  @Test("is read where it has the bytes, and says how many there are where it has not") func bytes() throws {
    let file = try FileReader(path: folder.add("a", "hello world"), label: "f")
    #expect(try file.bytes(6..<11) == Array("world".utf8))
    #expect(throws: FileError.truncated(file: "f", needs: 12, has: 11)) { try file.bytes(6..<12) }
  }

  @Test("is found by its folder, which is there or not") func names() throws {
    for name in ["b", ".hidden", "a"] { try folder.add(name) }
    #expect(try FileReader.names(in: folder.path) == [".hidden", "a", "b"])
    #expect(throws: FileError.missing(file: "f")) {
      try FileReader.names(in: folder.path("none"), label: "f")
    }
    #expect(throws: FileError.missing(file: "f")) { try FileReader.names(in: folder.path("a"), label: "f") }
  }
}
