import Foundation
import Testing

@Suite("pentimento verify", .serialized) struct VerifyTests {
  @Test("finds nothing wrong here, and leaves nothing behind")
  func whole() async throws {
    let place = try Workplace()
    let run = try await Command.run(
      ["verify", "--threads", "2"], in: place, model: Command.embeddedModel,
      environment: ["TMPDIR": place.url.path])
    #expect(run.exited && run.status == Status.done, "\(run.output) \(run.errors)")
    for subject in ["hash", "operators", "int8 file", "edit  ", "edit in int8"] {
      #expect(run.output.split(separator: "\n").contains { $0.hasPrefix(subject) }, "\(subject)")
    }
    #expect(!run.output.contains("WRONG"))
    #expect(try place.contents == [])
  }
}
