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
    expectInterrupted(run, by: SIGINT)
    #expect(try place.contents == before)
    // An operator takes milliseconds; the rest is for what other tests take of the machine.
    #expect(try #require(run.afterInterrupt) < .seconds(2))
  }

  @Test("ends with 128 and the signal's number", arguments: [SIGINT, SIGTERM, SIGHUP])
  func status(signal: Int32) async throws {
    let place = try Workplace.furnished()
    let before = try place.contents
    let run = try await Command.run(Self.edit, in: place, model: Command.embeddedModel, after: 0.7) {
      kill($0, signal)
    }
    expectInterrupted(run, by: signal)
    #expect(try place.contents == before)
  }

  private func expectInterrupted(_ run: Command.Run, by signal: Int32) {
    #expect(run.exited && run.status == Status.ended(by: signal), "\(run.status) \(run.errors)")
    #expect(run.output == "")
    #expect(run.complaints == ["pentimento: interrupted, nothing was written"])
  }

  /// Some seconds of work, then the result.
  private static let short = [
    "edit", "-i", "photo.png", "-o", "out.png", "-p", "a red ball", "--method", "dds", "--source-prompt",
    "a cube",
    "--steps", "20",
  ]

  @Test(
    "goes on where the caller ignores the signal",
    arguments: [
      ("nohup", "exec nohup $pentimento \"$@\" 2>&1", SIGHUP),
      ("a shell's background", "trap '' INT; exec $pentimento \"$@\"", SIGINT),
      ("a service", "trap '' TERM; exec $pentimento \"$@\"", SIGTERM),
    ])
  func ignored(by caller: String, script: String, signal: Int32) async throws {
    let place = try Workplace.furnished()
    let run = try await Command.shell(script, Self.short, in: place, model: Command.embeddedModel, after: 0.5)
    {
      kill($0, signal)
    }
    #expect(run.exited && run.status == Status.done, "\(run.status) \(run.output) \(run.errors)")
    #expect(place.exists("out.png"))
  }

  @Test("heeds the signals that its caller does not ignore")
  func others() async throws {
    let place = try Workplace.furnished()
    let run = try await Command.shell(
      "trap '' HUP; exec $pentimento \"$@\"", Self.edit, in: place, model: Command.embeddedModel, after: 0.7
    ) {
      kill($0, SIGHUP)
      usleep(200_000)
      kill($0, SIGTERM)
    }
    expectInterrupted(run, by: SIGTERM)
  }

  /// Its first words do not fit into a pipe that nobody empties, so that it does not come to look at the first signal.
  @Test("ends by the second signal while it cannot look at the first", arguments: [SIGINT, SIGTERM])
  func second(signal: Int32) async throws {
    let place = try Workplace.furnished()
    let script = """
      mkfifo pipe; sleep 4 <pipe & exec 2>pipe; rm pipe; head -c 65536 /dev/zero >&2; exec $pentimento "$@"
      """
    let run = try await Command.shell(script, Self.edit, in: place, model: Command.embeddedModel, after: 1) {
      kill($0, signal)
      usleep(300_000)
      kill($0, signal)
    }
    #expect(!run.exited && run.status == signal, "\(run.exited) \(run.status)")
    #expect(!place.exists("out.png"))
  }
}
