import Foundation
import Testing

@Suite("Standard output", .serialized) struct OutputFailureTests {
  private static let edit = [
    "edit", "-i", "photo.png", "-p", "a cat", "--steps", "2", "--skip", "0", "-o", "out.png",
  ]

  static let commands: [[String]] = [
    ["plan", "-i", "photo.png", "-p", "a cat"], ["plan", "-p", "a cat", "--report", "json"], ["methods"],
    ["methods", "drag"], ["inspect"], ["inspect", "--tensors"], ["--help"], ["edit", "--help"],
    ["help", "edit"],
    ["--version"], edit, edit + ["--report", "json"],
    ["quantize", Command.smallModel.path, "m.safetensors", "--weights", "fp16"],
  ]

  @Test("on a full disk ends the command with 73", arguments: commands)
  func full(words: [String]) async throws {
    let run = try await Command.shell("exec $pentimento \"$@\" >/dev/full", words, in: .furnished())
    Refusal(status: Status.cannotWrite, says: "standard output cannot be written (No space left on device)")
      .expect(run)
  }

  @Test(
    "that is closed or only read is refused before the work",
    arguments: [">&-", "</dev/null 1<&0", "<&- >&-"])
  func closed(redirection: String) async throws {
    for words in [["methods"], Self.edit] {
      let place = try Workplace.furnished()
      let before = try place.contents
      let run = try await Command.shell("exec $pentimento \"$@\" \(redirection)", words, in: place)
      Refusal(status: Status.cannotWrite, says: "standard output cannot be written").expect(run)
      #expect(try place.contents == before)
    }
  }

  @Test("closed with the other streams never becomes a file of the run")
  func allClosed() async throws {
    let place = try Workplace.furnished()
    let run = try await Command.shell("$pentimento \"$@\" <&- 2>&-", Self.edit, in: place)
    #expect(run.exited && run.status == Status.done && run.output == "out.png\n")
    let plain = try await Command.run(Self.edit.dropLast() + ["plain.png"], in: place)
    #expect(try plain.status == Status.done && place.bytes("out.png") == place.bytes("plain.png"))
  }

  @Test("whose reader has gone ends the program by SIGPIPE, or with 73 where the caller ignores that")
  func pipe() async throws {
    for (trap, status) in [("", 128 + SIGPIPE), ("trap '' PIPE;", Status.cannotWrite)] {
      let place = try Workplace.furnished()
      let script = "(\(trap) sleep 0.3; $pentimento inspect --tensors; echo $? >status) | true; sleep 1"
      let run = try await Command.shell(script, in: place)
      #expect(run.output == "")
      #expect(try String(decoding: place.bytes("status"), as: UTF8.self) == "\(status)\n")
      #expect(run.errors.contains("Broken pipe") == (status == Status.cannotWrite), "\(run.errors)")
    }
  }

  @Test("has the result although nobody reads the notes any more")
  func notes() async throws {
    let place = try Workplace.furnished()
    let script = "exec 3>&1; { sleep 0.3; $pentimento \"$@\" 2>&1 >&3; echo $? >status; } | true; sleep 2"
    let run = try await Command.shell(script, Self.edit, in: place)
    #expect(try String(decoding: place.bytes("status"), as: UTF8.self) == "0\n", "\(run.errors)")
    #expect(place.exists("out.png") && run.output == "out.png\n")
  }
}

@Suite("Results of one edit", .serialized) struct ResultsTogetherTests {
  private static let edit = [
    "edit", "-i", "photo.png", "-p", "a cat", "--source-prompt", "", "--steps", "3", "-o", "out.png",
  ]
  private static let long = String(repeating: "n", count: 260)

  static let names: [[String]] = [
    ["edit", "-i", "photo.png", "-p", "a cat", "-o", "\(long).png"],
    edit + ["--mask", "mask.png", "--method", "diffedit", "--save-mask", "\(long).png"],
    edit + ["--save-inversion", "\(long).inv"],
    ["generate", "-p", "a cat", "-o", "\(long).png"],
    ["quantize", Command.smallModel.path, "\(long).safetensors", "--weights", "fp16"],
    [
      "trace", Command.smallModel.deletingLastPathComponent().appending(path: "c_schedule").path, "-o",
      long + ".st",
    ],
  ]

  @Test("a name that is too long is found before the work", arguments: names)
  func tooLong(words: [String]) async throws {
    let place = try Workplace.furnished()
    let before = try place.contents
    let run = try await Command.run(words, in: place)
    Refusal(status: Status.cannotWrite, says: "too long").expect(run)
    #expect(!run.errors.contains(", seed "))
    #expect(try place.contents == before)
  }

  @Test(
    "a folder that takes no files is found before the work", arguments: ["--save-inversion", "--save-mask"])
  func noFolder(option: String) async throws {
    let place = try Workplace.furnished()
    let before = try place.contents
    let words = Self.edit + ["--method", "diffedit", "--mask", "mask.png"]
    let run = try await Command.run(words + [option, "/sys/kept.png"], in: place)
    #expect(run.exited && run.status == Status.cannotWrite, "\(run.status) \(run.errors)")
    #expect(!run.errors.contains(", seed "))
    #expect(try place.contents == before)
  }

  /// A limit of 4 kB on files: the picture and the mask would fit, the inversion does not.
  @Test("are none where the inversion cannot be written")
  func inversionFails() async throws {
    let place = try Workplace.furnished()
    for name in ["out.ppm", "ball.inv"] { try place.add(name, "old".utf8) }
    let before = try place.contents
    let words = Self.edit.replaced(by: ["--save-inversion", "ball.inv", "--steps", "20"])
    let size = try await {
      let run = try await Command.run(words, in: place)
      #expect(run.status == Status.done, "\(run.errors)")
      return try (place.bytes("out.png").count, place.bytes("ball.inv").count)
    }()
    try #require(size.0 < 20_480 && size.1 > 20_480, "\(size)")
    for name in ["out.png", "ball.inv"] { try place.add(name, "old".utf8) }
    let run = try await Command.shell("ulimit -f 40; exec $pentimento \"$@\"", words, in: place)
    #expect(run.exited && run.status == Status.cannotWrite, "\(run.status) \(run.errors)")
    #expect(run.complaints.count == 1 && run.output == "")
    for name in ["out.png", "ball.inv"] { #expect(try place.bytes(name) == Array("old".utf8), "\(name)") }
    #expect(try place.contents == (before + ["out.png"]).sorted())
  }
}
