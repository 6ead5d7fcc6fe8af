import Foundation
import Pentimento
import TestSupport
import Testing
import Trace
import WeightStorage

private let fixtures = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().appending(path: "../Fixtures").standardizedFileURL

/// Cases of an independent implementation in Double, on small random checkpoints (`Tools/fixtures`).
@Suite("Trace agrees with the reference") struct ParityTests {
  @Test("component by component", arguments: ParityCase.all(in: fixtures, prefixes: ["c_"]))
  func component(parity: ParityCase) async throws { try await check(parity) }

  @Test(
    "in every intermediate value of a method",
    arguments: ParityCase.all(in: fixtures, prefixes: ["m_"]))
  func method(parity: ParityCase) async throws { try await check(parity) }

  private func check(_ parity: ParityCase) async throws {
    let trace = try TraceCase(folder: parity.folder)
    let results = try await trace.run(Model(folder: trace.modelFolder), threads: 2)
    let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).safetensors").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try results.write(to: path)
    let differences = try parity.differences(in: SafetensorsFile(path: path))
    #expect(differences.isEmpty, "\(differences.joined(separator: "; "))")
  }
}
