import Foundation
import Testing
import WeightStorage

@Suite("Header that no model has") struct HeaderLimitTests {
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private static func rows(_ count: Int, _ name: (Int) -> String = { "a.\($0)" }) -> [String] {
    (0..<count).map { Corruption.row(name($0), "U8", "[0]", 0, 0) }
  }

  private static func file(_ rows: [String]) -> [UInt8] {
    safetensors(header: "{\(rows.joined(separator: ","))}")
  }

  /// Headers up to the limit in bytes, and what their refusal says; nil for those that are opened.
  static let headers: [(name: String, bytes: @Sendable () -> [UInt8], says: String?)] = [
    ("a table of 20,000 tensors", { file(rows(19_999)) }, nil),
    ("a table of 100,000 tensors", { file(rows(100_000)) }, "more than 20000 tensors"),
    (
      "a table of a million names",
      { safetensors(header: "{" + (0..<1_000_000).map { "\"a\($0)\":1" }.joined(separator: ",") + "}") },
      "expected"
    ),
    (
      "a million texts",
      {
        let texts = (0..<900_000).map { "\"\($0)\":\"\"" }.joined(separator: ",")
        return safetensors(header: "{\"__metadata__\":{\(texts)}}")
      }, "more than 20000 texts"
    ),
    (
      "a shape of a million sizes",
      {
        let sizes = [String](repeating: "1", count: 1_000_000).joined(separator: ",")
        return safetensors(header: "{\(Corruption.row("a", "U8", "[\(sizes)]", 0, 1))}")
      }, "more than 16 sizes"
    ),
    (
      "a name of a megabyte", { file(rows(1) { _ in String(repeating: "a", count: 1_000_000) }) },
      "a name of 1000000 bytes"
    ),
    (
      "names of a hundred parts", { file(rows(100) { "\($0)" + String(repeating: ".a", count: 99) }) },
      "a name of 100 parts"
    ),
    (
      "brackets alone", { safetensors(header: String(repeating: "{\"a\":", count: 1_900_000)) },
      "unknown property"
    ),
    (
      "a text of 11 MB",
      { safetensors(header: "{\"__metadata__\":{\"a\":\"\(String(repeating: "\\n", count: 5_500_000))\"}}") },
      nil
    ),
    (
      "24 MB", { safetensors(header: "{" + String(repeating: " ", count: 24_000_000) + "}") },
      "header of 24000002 bytes"
    ),
  ]

  @Test("is refused, or read, in no time", arguments: headers.indices)
  func limits(index: Int) throws {
    let (name, bytes, says) = Self.headers[index]
    let path = try folder.add("f", bytes())
    let clock = ContinuousClock.now
    do {
      _ = try SafetensorsFile(path: path, label: "f")
      #expect(says == nil, "\(name)")
    } catch {
      #expect(says.map(error.description.contains) == true, "\(name): \(error)")
    }
    // The machine is shared with other tests; a quadratic reader needs minutes.
    #expect(ContinuousClock.now - clock < .seconds(5), "\(name)")
  }
}
