import Foundation
import Testing

@Suite("A batch") struct BatchTests {
  /// Jobs of different methods and prompts on one picture, four steps each; the third is broken.
  private static let jobs = [
    #"{"image": "photo.png", "prompt": "a red cube", "method": "sdedit", "steps": 6}"#,
    #"{"method": "generate", "prompt": ["a cone", "a ball"], "seed": [1, 2], "id": "made"}"#,
    #"{"image": "none.png", "prompt": "x"}"#,
    #"{"image": "photo.png", "mask": "mask.png", "prompt": "snow", "method": "inpaint", "id": "masked"}"#,
    #"{"image": "photo.png", "prompt": "a green ball", "method": "ddpm-inversion", "steps": 6}"#,
  ]
  private static let names = [
    "0001-photo.png", "0005-photo.png", "made-1.png", "made-2.png", "made-3.png", "made-4.png",
    "made-sheet.png", "masked.png",
  ]
  private static let common = ["--size", "64", "--steps", "4", "-t", "1"]

  private func place() throws -> Workplace {
    let place = try Workplace.furnished()
    try place.add("jobs.jsonl", Self.jobs.joined(separator: "\n").utf8)
    return place
  }

  private func batch(_ place: Workplace, _ more: [String] = [], out: String = "out") async throws
    -> Command.Run
  {
    try await Command.run((["batch", "jobs.jsonl", "--out", out] + Self.common).replaced(by: more), in: place)
  }

  private func pictures(_ place: Workplace, _ folder: String = "out") throws -> [String: [UInt8]] {
    let files = try FileManager.default.contentsOfDirectory(atPath: place.path(folder))
    return try Dictionary(
      uniqueKeysWithValues: files.filter { $0.hasSuffix(".png") }.map {
        ($0, try place.bytes("\(folder)/\($0)"))
      })
  }

  @Test("makes what single edits make, names what failed, and does nothing twice") func whole() async throws {
    let place = try place()
    let run = try await batch(place)
    #expect(run.status == 1 && run.errors.contains("none.png"), "\(run.errors)")
    let made = try pictures(place)
    #expect(made.keys.sorted() == Self.names)
    #expect(run.output.split(separator: "\n").count == Self.names.count)
    let alone = try await Command.run(
      ["edit", "--image", "photo.png", "--prompt", "a red cube", "--method", "sdedit", "-o", "alone.png"]
        + ["--size", "64", "--steps", "6"], in: place)
    #expect(alone.status == 0, "\(alone.errors)")
    #expect(try place.bytes("alone.png") == made["0001-photo.png"])
    let summary = String(decoding: try place.bytes("out/summary.json"), as: UTF8.self)
    #expect(summary.contains("\"failed\"") && summary.contains("jobs.jsonl:3"))
    // Again: nothing is computed, and nothing written but the journal's and the summary's lines.
    let dates = try dates(place)
    let again = try await batch(place, ["-t", "2"])
    #expect(again.status == 1 && again.output == run.output, "\(again.errors)")
    #expect(try self.dates(place) == dates)
    #expect(!(try place.contents).contains { $0.hasSuffix(".checkpoint") })
  }

  private func dates(_ place: Workplace) throws -> [String: Date] {
    var dates: [String: Date] = [:]
    for name in Self.names {
      dates[name] =
        try FileManager.default.attributesOfItem(atPath: place.path("out/\(name)"))[.modificationDate]
        as? Date
    }
    return dates
  }

  @Test("replaces nothing that is not its own, but where it is told to") func force() async throws {
    let place = try place()
    try FileManager.default.createDirectory(at: place.url("out"), withIntermediateDirectories: true)
    try place.add("out/made-2.png", [1, 2, 3])
    let run = try await batch(place)
    #expect(run.status == 1 && run.errors.contains("made-2.png is there already"))
    #expect(try place.bytes("out/made-2.png") == [1, 2, 3])
    #expect(try pictures(place).count == Self.names.count)
    let forced = try await batch(place, ["--force"])
    #expect(forced.status == 1)
    #expect(try place.bytes("out/made-2.png").count > 3)
  }

  @Test("goes on after any break with the same bytes") func kills() async throws {
    let place = try place()
    _ = try await batch(place, out: "whole")
    let whole = try pictures(place, "whole")
    var kills = 0
    for delay in stride(from: 0.05, through: 1.2, by: 0.05) {
      let run = try await Command.run(
        ["batch", "jobs.jsonl", "--out", "out"] + Self.common, in: place, after: delay
      ) { kill($0, SIGKILL) }
      if !run.exited { kills += 1 }
    }
    let last = try await batch(place)
    #expect(last.status == 1)
    #expect(kills > 0)
    #expect(try pictures(place) == whole)
    let files = try FileManager.default.contentsOfDirectory(atPath: place.path("out"))
    #expect(!files.contains { $0.hasSuffix(".checkpoint") }, "\(files)")
  }

  @Test("saves and ends with 75 when it is asked to end, and the same command finishes it") func stops()
    async throws
  {
    let place = try Workplace.furnished()
    let lines = (1...4).map { #"{"image": "photo.png", "prompt": "a cube \#($0)", "method": "sds"}"# }
    try place.add("jobs.jsonl", lines.joined(separator: "\n").utf8)
    // Asked some steps after it began: a checkpoint comes to disk once a second.
    let stopped = try await Command.shell(
      """
      "$pentimento" batch jobs.jsonl --size 64 --steps 100000 -t 1 --out out & run=$!
      size() { cat out/*.checkpoint 2>/dev/null | wc -c; }
      i=0; while [ "$(size)" = 0 ] && [ $i -lt 600 ]; do sleep 0.05; i=$((i + 1)); done
      sleep 3
      kill -TERM $run; wait $run
      """, in: place)
    #expect(stopped.exited && stopped.status == 75, "\(stopped.errors)")
    #expect(stopped.errors.contains("left"))
    let kept = try FileManager.default.contentsOfDirectory(atPath: place.path("out"))
    #expect(kept.contains { $0.hasSuffix(".checkpoint") }, "\(kept)")
  }

  @Test("answers the lines of standard input one by one, in order") func stream() async throws {
    let place = try place()
    let run = try await Command.shell(
      #"(cat jobs.jsonl; echo; echo 'nonsense'; sleep 1; echo '{"method": "generate", "prompt": "a cone", "id": "late"}') "#
        + #"| "$pentimento" batch - --out out --size 64 --steps 4 -t 1"#, in: place)
    #expect(run.status == 0, "\(run.errors)")
    let lines = run.output.split(separator: "\n")
    let all = try lines.map { line in
      try #require(JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
    }
    let isSheet = { ($0["job"] as? String)?.hasSuffix("-sheet") == true } as ([String: Any]) -> Bool
    let (answers, sheets) = (all.filter { !isSheet($0) }, all.filter(isSheet))
    #expect(
      answers.map { $0["job"] as? String } == [
        "0001-photo", "made-1", "made-2", "made-3", "made-4", "0003-none", "masked", "0005-photo", "0006",
        "late",
      ])
    #expect(sheets.count == 1 && sheets[0]["output"] as? String == "made-sheet.png")
    #expect(
      answers.map { $0["state"] as? String } == [
        "done", "done", "done", "done", "done", "failed", "done", "done", "failed", "done",
      ])
  }

  @Test("is cut into parts that never write the same file") func shards() async throws {
    let place = try place()
    _ = try await batch(place, out: "whole")
    async let first = batch(place, ["--shard", "1/2"])
    async let second = batch(place, ["--shard", "2/2"])
    _ = try await (first, second)
    // No part has all pictures of the sheet.
    let whole = try pictures(place, "whole").filter { $0.key != "made-sheet.png" }
    #expect(try pictures(place) == whole)
    let files = try FileManager.default.contentsOfDirectory(atPath: place.path("out"))
    #expect(files.contains("batch.1of2.journal") && files.contains("summary.2of2.json"), "\(files)")
  }

  @Test("goes on where it was cut otherwise, and does nothing twice") func recut() async throws {
    let place = try place()
    _ = try await batch(place, out: "whole")
    let part = try await batch(place, ["--shard", "2/3"])
    let made = try pictures(place)
    #expect(!made.isEmpty && made.count < Self.names.count, "\(part.errors)")
    let rest = try await batch(place, ["--report", "json"])
    #expect(try pictures(place) == pictures(place, "whole"))
    let before = rest.output.split(separator: "\n").filter { $0.contains("\"wasDoneBefore\":true") }
    #expect(before.count == made.count && !rest.errors.contains("is there already"), "\(rest.errors)")
    let journals = try ["batch.journal", "batch.2of3.journal"].map {
      String(decoding: try place.bytes("out/\($0)"), as: UTF8.self)
    }
    #expect(
      journals.joined().split(separator: "\n").count { $0.contains("\"event\":\"done\"") } == Self.names.count
    )
    // Other words are another job, and what is there is not its own.
    let other = try await batch(place, ["--shard", "2/3", "--cfg-scale", "2"])
    #expect(other.errors.contains("is there already"), "\(other.errors)")
  }

  @Test("says which part the environment made of it") func environment() async throws {
    let place = try place()
    let slurm = [
      "SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_MAX": "7",
      "SLURM_ARRAY_TASK_COUNT": "4",
    ]
    let words = ["batch", "jobs.jsonl", "--out", "out"] + Self.common
    let run = try await Command.run(words, in: place, environment: slurm)
    #expect(run.errors.contains("part 4 of 4"), "\(run.errors)")
    #expect(try place.bytes("out/batch.4of4.journal").count > 0)
    let all = try await Command.run(words + ["--shard", "1/1"], in: place, environment: slurm)
    #expect(!all.errors.contains("part 4"), "\(all.errors)")
    #expect(try pictures(place).keys.sorted() == Self.names)
  }

  @Test("shows the pictures of a line on a sheet, made from their files when all are done") func sheet()
    async throws
  {
    let place = try Workplace()
    let jobs = ##"{"method": "generate", "prompt": ["a cone", "a ball"], "seed": [1, 2, 3], "id": "made"}"##
    try place.add("jobs.jsonl", jobs.utf8)
    #expect(try await batch(place).status == 0)
    let sheet = try place.bytes("out/made-sheet.png")
    // Two rows of three pictures of 64 pixels, gaps of 4 between, strips of 24 with the numbers over them.
    #expect(Array(sheet[16..<24]) == [0, 0, 0, 200, 0, 0, 0, 176])
    try FileManager.default.removeItem(at: place.url("out/made-sheet.png"))
    #expect(try await batch(place).status == 0)
    #expect(try place.bytes("out/made-sheet.png") == sheet)
    let run = try await batch(place)
    #expect(run.status == 0 && run.output.contains("made-sheet.png"), "\(run.errors)")
    // What is not the batch's own stays.
    try FileManager.default.createDirectory(at: place.url("other"), withIntermediateDirectories: true)
    try place.add("other/made-sheet.png", [1])
    let refused = try await batch(place, out: "other")
    #expect(refused.status == 1 && refused.errors.contains("made-sheet.png is there already"))
    #expect(try place.bytes("other/made-sheet.png") == [1])
  }

  @Test("keeps masks and inversions that jobs ask for, and refuses a mask that there is none of") func kept()
    async throws
  {
    let place = try Workplace.furnished()
    let lines = [
      ##"{"image": "photo.png", "mask": "mask.png", "prompt": "snow", "method": "inpaint", "save_mask": "m.png"}"##,
      ##"{"image": "photo.png", "prompt": "a ball", "method": "ddpm-inversion", "save_inversion": "ball.inv"}"##,
      ##"{"image": "photo.png", "prompt": "a ball", "method": "sds", "save_mask": "none.png", "id": "maskless"}"##,
    ]
    try place.add("jobs.jsonl", lines.joined(separator: "\n").utf8)
    let run = try await batch(place)
    #expect(
      run.status == 1 && run.errors.contains("maskless: sds has no use for --save-mask"), "\(run.errors)")
    let files = try FileManager.default.contentsOfDirectory(atPath: place.path("out")).sorted()
    #expect(
      files == ["0001-photo.png", "0002-photo.png", "ball.inv", "batch.journal", "m.png", "summary.json"])
    // An edit goes on from it.
    let edited = try await Command.run(
      ["edit", "--inversion", "out/ball.inv", "-p", "a cube", "-o", "cube.png"], in: place)
    #expect(edited.status == 0, "\(edited.errors)")
    // One of two files that is gone is made again, with the other.
    try FileManager.default.removeItem(at: place.url("out/m.png"))
    _ = try await batch(place)
    #expect(!(try place.bytes("out/m.png")).isEmpty)
  }

  @Test("says what it would do, and writes nothing") func dryRun() async throws {
    let place = try place()
    let run = try await batch(place, ["--dry-run"])
    #expect(
      run.status == 0 && run.output.contains("none.png") && run.output.contains("peak MB"), "\(run.errors)")
    #expect(!FileManager.default.fileExists(atPath: place.path("out")))
    _ = try await batch(place)
    let again = try await batch(place, ["--dry-run", "--report", "json"])
    let plan = try #require(
      JSONSerialization.jsonObject(with: Data(again.output.utf8)) as? [String: Any])
    #expect(plan["done"] as? Int == 7 && (plan["groups"] as? [Any])?.isEmpty == true, "\(again.output)")
    #expect((plan["failures"] as? [[String: Any]])?.map { $0["job"] as? String } == ["0003-none"])
  }

  @Test("refuses what is for a single edit, and words that are no edit's") func refusals() async throws {
    let place = try place()
    for more in [
      ["--save-mask", "m.png"], ["--interpolation", "0.1,0.2"], ["--until", "25:00"], ["--shard", "3/2"],
    ] {
      let run = try await batch(place, more)
      #expect(run.status == 64, "\(more): \(run.errors)")
    }
    try place.add("jobs.jsonl", #"{"method": "generate", "prompt": "x", "max-ram": "1G"}"#.utf8)
    let run = try await batch(place)
    #expect(run.status == 1 && run.errors.contains("--max-ram"), "\(run.errors)")
  }

  @Test("leaves what is not its own, and does not write to the folder that it reads") func foreign()
    async throws
  {
    let place = try Workplace.furnished()
    try place.add("jobs.jsonl", #"{"image": "photo.png", "prompt": "x", "method": "sdedit", "id": "a"}"#.utf8)
    try FileManager.default.createDirectory(at: place.url("out"), withIntermediateDirectories: true)
    try place.add("out/a.checkpoint", [1, 2, 3])
    let run = try await batch(place)
    #expect(run.status == 1 && run.errors.contains("a.checkpoint is there already"), "\(run.errors)")
    #expect(try place.bytes("out/a.checkpoint") == [1, 2, 3])
    try FileManager.default.createDirectory(at: place.url("full"), withIntermediateDirectories: true)
    try place.add("full/a.png", [4, 5])
    // A second time is no leave.
    for _ in 1...2 {
      let full = try await batch(place, out: "full")
      #expect(full.status == 1 && full.errors.contains("a.png is there already"), "\(full.errors)")
      #expect(try place.bytes("full/a.png") == [4, 5])
    }
    try FileManager.default.createDirectory(at: place.url("mine"), withIntermediateDirectories: true)
    try place.add("mine/summary.json", [1])
    let refused = try await batch(place, out: "mine")
    #expect(refused.status == 73 && refused.errors.contains("summary.json"), "\(refused.errors)")
    #expect(try place.bytes("mine/summary.json") == [1])
    try FileManager.default.createDirectory(at: place.url("in"), withIntermediateDirectories: true)
    try place.add("in/a.png", place.bytes("photo.png"))
    let circle = try await Command.run(["batch", "in", "--out", "./in/", "-p", "x"] + Self.common, in: place)
    #expect(circle.status == 64 && circle.errors.contains("folder of the pictures"), "\(circle.errors)")
  }

  @Test("is not held up by pipes, and calls wrong words of a job wrong use") func pipes() async throws {
    let place = try Workplace.furnished()
    #expect(mkfifo(place.path("pipe.png"), 0o600) == 0)
    let lines = [
      #"{"image": "pipe.png", "prompt": "x", "id": "pipe"}"#,
      #"{"image": "-", "prompt": "x", "id": "input"}"#,
      #"{"image": "photo.png", "prompt": "x", "quality": 50, "id": "word"}"#,
    ]
    try place.add("jobs.jsonl", lines.joined(separator: "\n").utf8)
    let run = try await batch(place, ["--report", "json"])
    let statuses = run.output.split(separator: "\n").filter { $0.contains("\"status\":64") }
    #expect(run.status == 1 && statuses.count == 3, "\(run.output) \(run.errors)")
  }
}
