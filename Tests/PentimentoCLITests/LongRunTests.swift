import Foundation
import ImageFiles
import Tensors
import Testing

@Suite("A long run", .serialized) struct LongRunTests {
  private static let edit = ["edit", "-i", "photo.png", "-p", "a red ball", "--steps", "4", "-o", "out.png"]

  /// What `--progress json` said, line by line.
  static func events(_ run: Command.Run) throws -> [[String: Value]] {
    try run.errors.split(separator: "\n").map { line in
      try JSONDecoder().decode([String: Value].self, from: Data(line.utf8))
    }
  }

  // MARK: Progress

  @Test("tells its progress as lines of JSON, to the last evaluation, and nothing else")
  func json() async throws {
    let place = try Workplace.furnished()
    let run = try await Command.run(
      Self.edit + ["--progress", "json", "--progress-every", "0"], in: place)
    #expect(run.status == Status.done && run.output == "out.png\n")
    let events = try Self.events(run)
    #expect(events.allSatisfy { $0["version"] == 1 && $0["event"]?.text != nil })
    let times = try events.map { try #require($0["secondsElapsed"]?.number) }
    #expect(times == times.sorted() && times[0] >= 0)
    let stages = events.filter { $0["event"] == "stage" }.compactMap { $0["stage"]?.text }
    #expect(stages == ["read picture", "text", "encode", "denoise", "decode", "write picture"])
    let progress = events.filter { $0["event"] == "progress" }
    // Four of the inversion; every level but ⌊0.36·4⌋ = 1 with two evaluations.
    let planned = try #require(progress.last?["planned"]?.number)
    #expect(progress.compactMap { $0["done"]?.number } == (1...Int(planned)).map(Double.init))
    #expect(progress.allSatisfy { $0["unit"] == "evaluations" && $0["stage"] == "denoise" })
    #expect(progress.last?["secondsLeft"] == 0)
    #expect(progress.dropFirst().allSatisfy { ($0["secondsLeft"]?.number ?? -1) >= 0 })
  }

  @Test("tells its progress in lines where it is no terminal's, as often as it was asked to")
  func lines() async throws {
    let place = try Workplace.furnished()
    let often = try await Command.run(Self.edit + ["--progress-every", "0"], in: place)
    let told = often.errors.split(separator: "\n").filter { $0.contains(" evaluations") }
    #expect(told.count > 4 && told.allSatisfy { $0.hasPrefix("pentimento: ") })
    #expect(try told.last?.firstMatch(of: Regex(#"^pentimento: (\d+)/\1 evaluations, 0 s left$"#)) != nil)
    #expect(!often.errors.contains("\u{1B}") && !often.errors.contains("\r"))
    for words in [[], ["--progress", "none"], ["--progress-every", "3600"]] {
      let run = try await Command.run(Self.edit + words, in: place)
      #expect(run.status == Status.done && !run.errors.contains("evaluations"), "\(run.errors)")
    }
  }

  @Test(
    "tells refusals of its words as JSON too",
    arguments: [
      ["generate", "--bogus", "--progress", "json"], ["edit", "--progress=json", "-o", "x.png"],
      ["batch", "none.jsonl", "--out", "o", "--until", "25:00", "--progress", "json"],
      ["generate", "--params-from", "photo.png", "-o", "x.png", "--progress", "json"],
    ])
  func refused(words: [String]) async throws {
    let run = try await Command.run(words, in: .furnished())
    let events = run.errors.split(separator: "\n").map {
      (try? JSONSerialization.jsonObject(with: Data($0.utf8))) as? [String: Any]
    }
    #expect(run.status != 0 && events.last??["event"] as? String == "error", "\(run.errors)")
    #expect(events.allSatisfy { $0?["version"] as? Int == 1 }, "\(run.errors)")
  }

  @Test("is quiet but for errors") func quiet() async throws {
    let place = try Workplace.furnished()
    let long = (0..<90).map { _ in "ball" }.joined(separator: " ")
    for words in [Self.edit + ["-q"], Self.edit.replaced(by: ["--quiet", "-p", long, "--method", "sdedit"])] {
      let run = try await Command.run(words, in: place)
      #expect(run.status == Status.done && run.errors == "" && run.output == "out.png\n")
    }
    let failed = try await Command.run(["edit", "-q", "-i", "none.png", "-p", "x", "-o", "o.png"], in: place)
    #expect(failed.status == Status.badPicture && failed.errors.hasPrefix("pentimento: error: none.png"))
  }

  @Test("says with -v what is planned, with what it computes, and how long each stage took")
  func verbose() async throws {
    let place = try Workplace.furnished()
    let run = try await Command.run(Self.edit + ["-v"], in: place)
    #expect(run.status == Status.done)
    let lines = run.errors.split(separator: "\n")
    for words in ["model ", "kernels ", "planned: ", "done in "] {
      #expect(lines.contains { $0.hasPrefix("pentimento: \(words)") }, "\(words): \(run.errors)")
    }
    for stage in ["read picture", "text", "encode", "denoise", "decode", "write picture"] {
      let expression = try Regex("^pentimento: \(stage) took [0-9.]+ s$")
      #expect(lines.contains { $0.firstMatch(of: expression) != nil }, "\(stage): \(run.errors)")
    }
  }

  @Test("of every long command tells the same")
  func commands() async throws {
    let place = try Workplace.furnished()
    try place.add(
      "jobs.jsonl", Array(#"{"image": "photo.png", "prompt": "a ball", "id": "a", "steps": 2}"#.utf8))
    let calls: [(words: [String], unit: String)] = [
      (["generate", "-p", "a ball", "--steps", "2", "-o", "g.png"], "evaluations"),
      (["batch", "jobs.jsonl", "--out", "results"], "evaluations"),
      (["train-lora", "photo.png", "-p", "a ball", "--steps", "2", "-o", "l.safetensors"], "gradients"),
      (
        [
          "train-translator", "photo.png", "--task", "a cube", "a ball", "--steps", "2", "--width", "16",
          "--blocks", "1", "-o", "t.safetensors",
        ], "evaluations"
      ),
      (["quantize", Command.smallModel.path, "q.safetensors", "--weights", "int8"], "weights"),
    ]
    for (words, unit) in calls {
      let run = try await Command.run(words + ["--progress", "json", "--progress-every", "0"], in: place)
      #expect(run.status == Status.done, "\(run.errors)")
      let progress = try Self.events(run).filter { $0["event"] == "progress" }
      #expect(progress.count > 1 && progress.allSatisfy { $0["unit"] == .text(unit) }, "\(run.errors)")
      #expect(progress.last?["done"] == progress.last?["planned"])
      let quiet = try await Command.run(words + ["-q"] + (words[0] == "batch" ? ["--force"] : []), in: place)
      #expect(quiet.status == Status.done && quiet.errors == "", "\(quiet.errors)")
      let verbose = try await Command.run(
        words + ["-v"] + (words[0] == "batch" ? ["--force"] : []), in: place)
      #expect(words[0] == "batch" || verbose.errors.contains("pentimento: kernels "), "\(verbose.errors)")
    }
  }

  // MARK: Notes before the work

  @Test("says what it makes of prompt and mask before the noise network runs") func early() async throws {
    let place = try Workplace.furnished()
    try PictureFile.write(
      MaskPicture(width: 40, height: 80, pixels: [UInt8](repeating: 255, count: 3200)),
      to: place.path("wide.png"))
    let long = (0..<90).map { "word\($0)" }.joined(separator: " ")
    let run = try await Command.run(
      [
        "edit", "-i", "photo.png", "-p", long, "--method", "inpaint", "--mask", "wide.png", "--steps", "2",
        "-o",
        "out.png", "--progress", "json", "--progress-every", "0",
      ], in: place)
    #expect(run.status == Status.done, "\(run.errors)")
    let events = try Self.events(run)
    let work = try #require(events.firstIndex { $0["event"] == "stage" && $0["stage"] == "denoise" })
    for words in ["longer than the model reads", "white everywhere", "another aspect ratio"] {
      let places = events.indices.filter { events[$0]["message"]?.text?.contains(words) == true }
      #expect(places.count == 1 && places[0] < work, "\(words): \(run.errors)")
    }
  }

  // MARK: Previews

  @Test(
    "shows what it has come to without changing a bit of it", arguments: ["ddpm-inversion", "sdedit", "dds"])
  func previews(method: String) async throws {
    let place = try Workplace.furnished()
    let words =
      [
        "edit", "-i", "photo.png", "-p", "a red ball", "--method", method, "--steps", "6",
      ] + (method == "dds" ? ["--source-prompt", "a cube"] : [])
    let plain = try await Command.run(
      words + ["-o", "plain.png"], in: place, model: Command.embeddedModel)
    #expect(plain.status == Status.done, "\(plain.errors)")
    for preview in ["p.png", "p.jpg"] {
      let run = try await Command.run(
        words + ["-o", "out.png", "--preview", preview, "--preview-every", "2", "--progress", "json"],
        in: place,
        model: Command.embeddedModel)
      #expect(run.status == Status.done, "\(run.errors)")
      #expect(try place.bytes("out.png") == place.bytes("plain.png"))
      let shown = try Self.events(run).filter { $0["event"] == "preview" }
      #expect(shown.count >= 2 && shown.allSatisfy { $0["file"] == .text(preview) })
      #expect(
        shown.compactMap { $0["step"]?.number }.allSatisfy { $0.truncatingRemainder(dividingBy: 2) == 0 })
      // What is seen is the picture: nearer to the result than a grey one of the result's mean is.
      let (seen, made) = try (PictureFile.read(place.path(preview)), PictureFile.read(place.path("out.png")))
      let aspects = (seen.width * made.height, made.width * seen.height)
      #expect(abs(aspects.0 - aspects.1) < 8 * max(made.width, made.height))
      #expect(distance(made, seen) < 0.5 * distance(made, nil))
    }
    #expect(try place.contents == ["mask.png", "out.png", "p.jpg", "p.png", "photo.png", "plain.png"])
  }

  @Test("shows a picture that is made from words alone, by colours that the decoder was asked for")
  func generatedPreviews() async throws {
    let place = try Workplace()
    let words = ["generate", "-p", "a red ball on snow", "--size", "128", "--steps", "10"]
    let plain = try await Command.run(words + ["-o", "plain.png"], in: place, model: Command.embeddedModel)
    let run = try await Command.run(
      words + ["-o", "out.png", "--preview", "p.png", "--preview-every", "1"], in: place,
      model: Command.embeddedModel)
    #expect(plain.status == Status.done && run.status == Status.done, "\(run.errors)")
    #expect(try place.bytes("out.png") == place.bytes("plain.png"))
    let (seen, made) = try (PictureFile.read(place.path("p.png")), PictureFile.read(place.path("out.png")))
    #expect(distance(made, seen) < distance(made, nil))
  }

  /// Mean square between a picture and another of any size, or its own mean.
  private func distance(_ made: Picture, _ seen: Picture?) -> Double {
    let count = made.width * made.height
    var sum = 0.0
    for k in 0..<3 {
      let mean = (0..<count).reduce(0.0) { $0 + Double(made.pixels[3 * $1 + k]) } / Double(count)
      for y in 0..<made.height {
        for x in 0..<made.width {
          let other = seen.map { seen in
            let (i, j) = (x * seen.width / made.width, y * seen.height / made.height)
            return Double(seen.pixels[(j * seen.width + i) * 3 + k])
          }
          let difference = Double(made.pixels[(y * made.width + x) * 3 + k]) - (other ?? mean)
          sum += difference * difference
        }
      }
    }
    return sum / Double(count)
  }

  @Test("goes on without previews that cannot be written, and says so once") func lostPreview() async throws {
    let place = try Workplace()
    try place.addPicture("photo.ppm", width: 300, height: 300)
    // More than a pipe holds: the folder goes once the program has looked at it and reads the picture.
    let run = try await Command.shell(
      """
      mkdir folder
      (head -c 200000 photo.ppm; rm -r folder; tail -c +200001 photo.ppm) |
        "$pentimento" edit -i - -p 'a ball' --method sdedit --steps 4 --size 64 -o out.png \
          --preview folder/p.png --preview-every 1
      """, in: place)
    #expect(run.status == Status.done, "\(run.errors)")
    #expect(
      run.errors.components(separatedBy: "there are no previews, the edit goes on").count == 2,
      "\(run.errors)")
    #expect(try place.contents == ["out.png", "photo.ppm"])
  }

  // MARK: Errors as JSON

  private static let failures: [(words: [String], status: Int32, says: String)] = [
    (["edit", "-i", "none.png", "-p", "x", "-o", "o.png"], Status.badPicture, "none.png"),
    (["edit", "-i", "photo.png", "-p", "x", "-o", "o.png", "--strenth", "1"], Status.usage, "--strenth"),
    (["edit", "-i", "photo.png", "-p", "x", "-o", "o.png", "--method", "drag"], Status.usage, "--drag"),
    (["generate", "-p", "x", "-o", "o.png", "--max-ram", "1M"], Status.overBudget, "--max-ram"),
    (["plan", "-i", "none.png", "-p", "x"], Status.badPicture, "none.png"),
    (["train-lora", "none.png", "-p", "x", "-o", "l.safetensors"], Status.badPicture, "none.png"),
    (
      ["train-translator", "none.png", "--task", "a", "b", "-o", "t.safetensors"], Status.badPicture,
      "none.png"
    ),
    (["batch", "none.jsonl", "--out", "results"], Status.failed, "none.jsonl"),
    (["edit", "--params-from", "photo.png", "-o", "o.png"], Status.badPicture, "photo.png"),
  ]

  @Test("answers with an error as JSON where its report would be", arguments: failures.indices)
  func errors(index: Int) async throws {
    struct Answer: Decodable {
      struct Failure: Decodable { var message: String, status: Int32 }
      var error: Failure
    }
    let (words, status, says) = Self.failures[index]
    let place = try Workplace.furnished()
    let plain = try await Command.run(words, in: place)
    #expect(plain.output == "")
    for option in [["--report", "json"], ["--report=json"]] {
      let run = try await Command.run(words + option, in: place)
      #expect(run.status == plain.status, "\(run.errors)")
      if words[0] != "batch" { #expect(run.status == status) }
      // What the process held before is measured, so that a figure may be a megabyte apart.
      func withoutFigures(_ text: String) -> String { text.replacing(/[0-9]+ MB/, with: "MB") }
      #expect(withoutFigures(run.errors) == withoutFigures(plain.errors))
      let answer = try JSONDecoder().decode(Answer.self, from: Data(run.output.utf8)).error
      #expect(answer.status == run.status && answer.message.contains(says), "\(run.output)")
      #expect(words[0] != "batch" || run.output.split(separator: "\n").count == 1)
    }
    guard words[0] != "plan" else { return }
    let told = try await Command.run(words + ["--progress", "json"], in: place)
    guard words[1] != "--params-from" else { return }
    let last = try #require(try Self.events(told).last)
    #expect(last["event"] == "error" && last["status"] == .number(Double(plain.status)))
  }

  @Test("that is interrupted says so in JSON, too") func interrupted() async throws {
    let place = try Workplace.furnished()
    let run = try await Command.run(
      ["edit", "-i", "photo.png", "-p", "x", "--steps", "999", "-o", "o.png", "--report", "json"], in: place,
      model: Command.embeddedModel, interruptAfter: 1)
    #expect(run.status == Status.ended(by: SIGINT))
    #expect(run.output.contains("\"status\" : 130") && run.output.contains("interrupted"), "\(run.output)")
  }

  // MARK: Wrong use

  @Test(
    "refuses what contradicts itself",
    arguments: [
      Refusal(edit + ["-q", "-v"], says: "--quiet and --verbose"),
      Refusal(edit + ["-q", "--progress", "none"], says: "--quiet says nothing"),
      Refusal(edit + ["--progress", "bar"], says: "--progress cannot be \"bar\": "),
      Refusal(edit + ["--progress-every", "-1"], says: "--progress-every takes 0 to 86400"),
      Refusal(edit + ["--progress", "none", "--progress-every", "1"], says: "--progress none"),
      Refusal(edit + ["--preview-every", "2"], says: "--preview-every is for --preview"),
      Refusal(edit + ["--preview", "p.png", "--preview-every", "0"], says: "1 or more"),
      Refusal(edit + ["--preview", "p.gif"], says: "p.gif"),
      Refusal(edit + ["--preview", "photo.png"], says: "--preview photo.png would replace"),
      Refusal(edit + ["--preview", "out.png"], says: "--preview and --output are one file"),
      Refusal(edit + ["--preview", "none/p.png"], status: Status.cannotWrite, says: "none"),
    ])
  func wrongUse(refusal: Refusal) async throws { try await refusal.check(in: Workplace.furnished()) }
}
