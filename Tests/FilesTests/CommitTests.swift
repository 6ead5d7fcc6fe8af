import Files
import Foundation
import Testing

@Suite("Several files at once") struct CommitTests {
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func files(_ names: [String]) throws -> [PartialFile] {
    try names.map { name in
      let file = try PartialFile(path: folder.path(name))
      try file.write(Array("new \(name)".utf8))
      return file
    }
  }

  @Test("are all new, those that were there and those that were not") func all() throws {
    try folder.add("a", "old")
    try folder.add("c", "old")
    try PartialFile.commit(files(["a", "b", "c"]))
    for name in ["a", "b", "c"] { #expect(try folder.text(name) == "new \(name)") }
    #expect(try folder.names == ["a", "b", "c"])
  }

  /// A folder that appears where a file is to be, after everything that could be known was known.
  @Test("are all old if one of them cannot take its place", arguments: [0, 1, 2, 3])
  func none(blocked: Int) throws {
    // Two that replace a file, two that do not.
    let names = ["a", "b", "c", "d"]
    for name in ["a", "c"] where name != names[blocked] { try folder.add(name, "old \(name)") }
    let old = try folder.names
    let files = try files(names)
    try FileManager.default.createDirectory(
      atPath: folder.path("\(names[blocked])/inside"), withIntermediateDirectories: true)
    do {
      try PartialFile.commit(files)
      Issue.record("was put in place")
    } catch {
      #expect(error.isAboutWriting)
    }
    #expect(try folder.names == (old + [names[blocked]]).sorted())
    for name in old { #expect(try folder.text(name) == "old \(name)") }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path(names[blocked])) == ["inside"])
  }

  @Test("keep the permissions of those that they replace") func modes() throws {
    for name in ["a", "b"] {
      try FileManager.default.setAttributes(
        [.posixPermissions: 0o640], ofItemAtPath: folder.add(name, "old"))
    }
    try PartialFile.commit(files(["a", "b"]))
    for name in ["a", "b"] { #expect(try folder.mode(name) == 0o640) }
  }
}
