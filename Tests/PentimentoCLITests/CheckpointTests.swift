import Foundation
import Testing

@Suite("An edit with a checkpoint", .serialized) struct CheckpointTests {
  /// A few seconds of work.
  private static let edit = [
    "edit", "-i", "photo.png", "-o", "out.png", "-p", "a red ball", "--method", "dds", "--source-prompt",
    "a cube", "--steps", "40", "--checkpoint", "edit.checkpoint",
  ]

  private func unbroken() async throws -> [UInt8] {
    let place = try Workplace.furnished()
    let run = try await Command.run(Self.edit, in: place, model: Command.embeddedModel)
    #expect(run.status == Status.done, "\(run.errors)")
    #expect(try place.contents == ["mask.png", "out.png", "photo.png"])
    return try place.bytes("out.png")
  }

  /// Until a latent lies in the file, for which its header alone is too small; not for ever.
  private static func waitForProgress(in place: Workplace) {
    for _ in 0..<1200 {
      if let bytes = try? place.bytes("edit.checkpoint"), bytes.count > 4096 { return }
      Thread.sleep(forTimeInterval: 0.1)
    }
  }

  @Test("that is killed again and again goes on each time and ends with the unbroken one's bytes")
  func killed() async throws {
    let place = try Workplace.furnished()
    var kills = 0
    for delay in [0.9, 1.7, 0.4, 1.3, 2.1] {
      let run = try await Command.run(Self.edit, in: place, model: Command.embeddedModel, after: delay) {
        kill($0, SIGKILL)
      }
      if run.exited { break }
      kills += 1
      #expect(!place.exists("out.png"))
    }
    if place.exists("edit.checkpoint") || !place.exists("out.png") {
      let last = try await Command.run(Self.edit, in: place, model: Command.embeddedModel)
      #expect(last.status == Status.done, "\(last.errors)")
    }
    #expect(kills > 0)
    let expected = try await unbroken()
    #expect(try place.bytes("out.png") == expected)
    #expect(try place.contents == ["mask.png", "out.png", "photo.png"])
  }

  @Test("leaves it behind when a signal ends it, and says so", arguments: [SIGINT, SIGTERM, SIGHUP])
  func interrupted(signal: Int32) async throws {
    let place = try Workplace.furnished()
    let long = Self.edit.map { $0 == "40" ? "4000" : $0 }
    let run = try await Command.run(long, in: place, model: Command.embeddedModel, after: 0.1) {
      Self.waitForProgress(in: place)
      kill($0, signal)
    }
    #expect(run.exited && run.status == Status.ended(by: signal), "\(run.status) \(run.errors)")
    #expect(run.complaints == ["pentimento: interrupted, the same command goes on from edit.checkpoint"])
    #expect(try place.contents == ["edit.checkpoint", "mask.png", "photo.png"])
  }

  @Test("refuses that of another run, and leaves it") func otherRun() async throws {
    let place = try Workplace.furnished()
    _ = try await Command.run(
      Self.edit.map { $0 == "40" ? "4000" : $0 }, in: place, model: Command.embeddedModel, after: 0.1
    ) {
      Self.waitForProgress(in: place)
      kill($0, SIGTERM)
    }
    let bytes = try place.bytes("edit.checkpoint")
    for (changes, words) in [
      (["40": "50"], "(--steps 4000, not 50)"),
      (["40": "4000", "a cube": "a ball"], "(--source-prompt \"a cube\", not \"a ball\")"),
    ] {
      let edit = Self.edit.map { changes[$0] ?? $0 }
      try await Refusal(edit, says: "of another run", words, "name another file")
        .check(in: place, model: Command.embeddedModel)
    }
    try await Refusal(
      Self.edit.map { $0 == "40" ? "4000" : $0 } + ["--seed", "7"], says: "(--seed 42, not 7)"
    ).check(in: place, model: Command.embeddedModel)
    #expect(try place.bytes("edit.checkpoint") == bytes)

    // Damage in the middle of it is seen; it is not begun again behind the user's back.
    var damaged = bytes
    damaged[40] ^= 1
    try place.add("edit.checkpoint", damaged)
    try await Refusal(
      Self.edit.map { $0 == "40" ? "4000" : $0 }, status: Status.badPicture,
      says: "edit.checkpoint is damaged", "remove it"
    ).check(in: place, model: Command.embeddedModel)
  }

  @Test("refuses a file that is none, a folder that is not there, and its own result")
  func places() async throws {
    let place = try Workplace.furnished()
    func with(_ path: String) -> [String] { Self.edit.dropLast() + [path] }
    try await Refusal(with("photo.png"), says: "would replace a file that is read").check(in: place)
    try await Refusal(with("out.png"), says: "--checkpoint and --output are one file").check(in: place)
    try await Refusal(with("mask.png"), status: Status.badPicture, says: "is no checkpoint", "name a file")
      .check(in: place)
    try await Refusal(with("none/edit.checkpoint"), status: Status.cannotWrite, says: "no folder").check(
      in: place)
  }

  @Test("is used by one process at a time") func twice() async throws {
    let place = try Workplace.furnished()
    let run = try await Command.shell(
      """
      $pentimento "$@" 2>/dev/null & first=$!
      sleep 1.5
      $pentimento "$@"; status=$?
      kill $first; wait $first
      exit $status
      """, Self.edit.map { $0 == "40" ? "4000" : $0 }, in: place, model: Command.embeddedModel)
    #expect(run.status == Status.cannotWrite, "\(run.errors)")
    #expect(run.errors.contains("is the checkpoint of a run that is going on: wait"), "\(run.errors)")
  }

  @Test("ends with 73 where the disk takes no more of it") func full() async throws {
    let place = try Workplace.furnished()
    // Blocks of 512 or 1024 bytes: its first record fits and no latent does.
    let run = try await Command.shell(
      "ulimit -f 4; exec $pentimento \"$@\"", Self.edit, in: place, model: Command.embeddedModel)
    #expect(run.exited && run.status == Status.cannotWrite, "\(run.status) \(run.errors)")
    #expect(run.errors.contains("edit.checkpoint: cannot be written"), "\(run.errors)")
    #expect(try place.contents == ["mask.png", "photo.png"])
  }
}
