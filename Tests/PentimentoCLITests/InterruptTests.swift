import Foundation
import Testing

@Suite("An interrupted edit", .serialized) struct InterruptTests {
  /// Long enough for any machine to be interrupted in: minutes where it is not.
  private static let edit = [
    "edit", "-i", "photo.png", "-o", "out.png", "-p", "a red ball", "--method", "dds", "--source-prompt",
    "a cube",
    "--steps", "100000", "--size", "256",
  ]

  @Test("ends with 130 at once and leaves nothing", arguments: [0.5, 1.3])
  func interrupted(after delay: Double) async throws {
    let place = try Workplace.furnished()
    let before = try place.contents
    let run = try await Command.run(Self.edit, in: place, model: Command.embeddedModel, interruptAfter: delay)
    #expect(run.exited && run.status == Status.interrupted, "\(run.errors)")
    #expect(run.output == "")
    #expect(run.complaints == ["pentimento: interrupted, nothing was written"])
    #expect(try place.contents == before)
    // An operator takes milliseconds; the rest is for what other tests take of the machine.
    #expect(try #require(run.afterInterrupt) < .seconds(2))
  }
}
