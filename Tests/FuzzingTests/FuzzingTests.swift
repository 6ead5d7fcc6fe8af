import Foundation
import Fuzzing
import Testing

@Suite("Hostile files", .serialized) struct FuzzingTests {
  private static let fixtures = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().appending(path: "../Fixtures").standardizedFileURL.path

  /// `Tools/fuzz` tries more. A crash ends the tests; the input is in the folder then, and stays there.
  @Test("are refused with an error or read in full, never more", arguments: FuzzReader.allCases)
  func survives(reader: FuzzReader) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "fuzz-\(reader.rawValue)-\(UUID())")
    var fuzzer = try Fuzzer(reader, seed: 2024, fixtures: Self.fixtures, folder: folder.path)
    let result = try await fuzzer.run(executions: 1000, for: .milliseconds(500))
    try FileManager.default.removeItem(at: folder)
    #expect(result.executions > 0)
    #expect(result.errors.values.reduce(result.accepted, +) == result.executions)
    // A few milliseconds on a machine that does nothing else.
    #expect(result.slowest < .seconds(10))
  }

  @Test("are the same for the same seed, and others for another")
  func repeatable() {
    let sound = Array(#"{"a": [1, 2], "b": "c"}"#.utf8)
    func files(_ seed: UInt64) -> [[UInt8]] {
      var mutator = Mutator(seed: seed)
      return (0..<20).map { _ in mutator.mutate(sound, other: sound) }
    }
    #expect(files(1) == files(1))
    #expect(files(1) != files(2))
    #expect(!files(1).contains(sound) || Set(files(1)).count > 10)
  }
}
