import Foundation
import ImageFiles
import Testing
import WeightStorage

@Suite("Trainings, from the command line", .serialized) struct TrainingTests {
  struct Report: Decodable {
    var training: String, parameters: [String: Value], losses: [Double], seed: UInt64, trained: Int
    var plannedEvaluations: Int, evaluations: Int, plannedGradients: Int, gradients: Int
    var pictures: Int, generated: Int?, plannedPeakBytes: Int, peakBytes: Int
  }
  struct EditReport: Decodable {
    var method: String, task: String?, plannedEvaluations: Int, evaluations: Int
  }

  private static let translator = [
    "train-translator", "photo.png", "--task", "a red cube", "a red ball", "--task", "a red cube",
    "a blue cube", "--steps", "4", "--width", "16", "--blocks", "1", "-o", "t.safetensors",
  ]

  private static func report<Report: Decodable>(
    _ type: Report.Type, _ arguments: [String], in place: Workplace, model: URL? = Command.smallModel
  ) async throws -> Report {
    let run = try await Command.run(arguments + ["--report", "json"], in: place, model: model)
    #expect(run.status == Status.done, "\(run.errors)")
    return try JSONDecoder().decode(type, from: Data(run.output.utf8))
  }

  @Test("train a translator for several tasks, which edits pictures of any size in one pass")
  func translator() async throws {
    let place = try Workplace.furnished()
    let report = try await Self.report(Report.self, Self.translator, in: place)
    #expect(report.training == "train-translator" && report.pictures == 1 && report.losses.count == 4)
    // The guidance is 1 in the first step: one prediction for each of two latents, then two.
    #expect(report.plannedEvaluations == 2 + 3 * 4 && report.evaluations == report.plannedEvaluations)
    #expect(report.gradients == 4 && report.plannedGradients == 4)
    #expect(report.losses.allSatisfy { $0.isFinite })
    try place.addPicture("wide.png", width: 160, height: 70)
    for (task, words) in [("2", "2 \"a red cube\" → \"a blue cube\""), ("A red ball", "1 ")] {
      for photo in ["photo.png", "wide.png"] {
        let edit = try await Self.report(
          EditReport.self,
          ["edit", "-i", photo, "--translator", "t.safetensors", "--task", task, "-o", "out.png"], in: place)
        #expect(edit.method == "translate" && edit.evaluations == 0 && edit.plannedEvaluations == 0)
        #expect(edit.task?.hasPrefix(words) == true)
      }
    }
  }

  @Test("plan a translation without noise network and text encoders") func plan() async throws {
    let place = try Workplace.furnished()
    _ = try await Self.report(Report.self, Self.translator, in: place)
    let run = try await Command.run(
      ["plan", "-i", "photo.png", "--translator", "t.safetensors", "--task", "1"], in: place)
    #expect(run.status == Status.done, "\(run.errors)")
    let stages = run.output.split(separator: "\n").compactMap { $0.split(separator: " ").first }
    #expect(stages.contains("translate") && !stages.contains("denoise") && !stages.contains("text"))
  }

  @Test("translate inside a mask alone, and put the picture back outside") func mask() async throws {
    let place = try Workplace.furnished()
    _ = try await Self.report(Report.self, Self.translator, in: place)
    let edit = ["edit", "-i", "photo.png", "--translator", "t.safetensors", "--task", "1", "-o", "out.png"]
    let run = try await Command.run(edit + ["--mask", "mask.png", "--save-mask", "used.png"], in: place)
    #expect(run.status == Status.done, "\(run.errors)")
    #expect(place.exists("used.png"))
  }

  @Test("learn from pictures that the model makes") func generated() async throws {
    let place = try Workplace()
    let arguments = Self.translator.filter { $0 != "photo.png" } + ["--generate", "3", "--plot", "loss.png"]
    let report = try await Self.report(Report.self, arguments, in: place)
    #expect(report.pictures == 0 && report.generated == 3)
    #expect(report.plannedEvaluations == report.evaluations)
    #expect(try place.contents == ["loss.png", "t.safetensors"])
  }

  @Test("of one seed end with one file, whatever breaks them off") func resumed() async throws {
    let place = try Workplace.furnished()
    // Long enough to be killed some times; half a second is the start.
    let steps = Self.translator.map { $0 == "4" ? "24" : $0 } + ["--generate", "1"]
    let unbroken = try await Command.run(steps, in: place, model: Command.embeddedModel)
    #expect(unbroken.status == Status.done, "\(unbroken.errors)")
    let bytes = try place.bytes("t.safetensors")
    try FileManager.default.removeItem(at: place.url("t.safetensors"))
    for delay in [1.2, 2.3, 0.3, 1.9] {
      let run = try await Command.run(
        steps + ["--checkpoint", "c"], in: place, model: Command.embeddedModel, after: delay
      ) { kill($0, SIGKILL) }
      if run.exited { break }
      #expect(!place.exists("t.safetensors"))
    }
    if !place.exists("t.safetensors") {
      let last = try await Command.run(
        steps + ["--checkpoint", "c"], in: place, model: Command.embeddedModel)
      #expect(last.status == Status.done, "\(last.errors)")
    }
    #expect(try place.bytes("t.safetensors") == bytes)
    #expect(!place.exists("c"))
  }

  private static func with(_ more: String..., without: [String] = []) -> [String] {
    translator.filter { !without.contains($0) }.replaced(by: more)
  }

  static let refusals: [Refusal] = [
    Refusal(with("--steps", "0"), says: "steps"),
    Refusal(with("--width", "20"), says: "width 20", "multiple of 8"),
    Refusal(with("--blocks", "0"), says: "blocks 0", "1 to 64"),
    Refusal(with("--batch", "0"), says: "batch"),
    Refusal(with("--learning-rate", "nan"), says: "learning-rate"),
    Refusal(with("--warmup", "2"), says: "warmup"),
    Refusal(with("--generate", "-1"), says: "--generate takes 0 to 100000"),
    Refusal(with("--task", "a cone"), says: "--task takes two prompts"),
    Refusal(with("--task", "a cone", "a cone"), says: "a task from \"a cone\" to \"a cone\" changes nothing"),
    Refusal(with("--task", "a red cube", "a red ball"), says: "is there twice", "leave one out"),
    Refusal(with("--task", "a cone", " "), says: "says something"),
    Refusal(with("--task", "a cone", "photo.png"), says: "name pictures before the first --task"),
    Refusal(with(without: ["photo.png"]), says: "no picture to learn from", "--generate"),
    Refusal(
      ["train-translator", "photo.png", "-o", "t.safetensors"], says: "there is nothing to learn", "--task"),
    Refusal(with("-o", "t.png", without: ["-o", "t.safetensors"]), says: "end in .safetensors"),
    Refusal(with("--plot", "t.safetensors"), says: "by its ending", "name a .png"),
    Refusal(with("--max-ram", "1M"), status: Status.overBudget, says: "--max-ram"),
    Refusal(
      ["edit", "-i", "photo.png", "--method", "translate", "-o", "out.png"],
      says: "translate needs a translator (--translator)"),
    Refusal(
      ["edit", "-i", "photo.png", "--translator", "none.safetensors", "-o", "out.png"],
      status: Status.badPicture, says: "there is no such file"),
    Refusal(
      ["edit", "-i", "photo.png", "--translator", "mask.png", "-o", "out.png"], status: Status.badPicture,
      says: "another kind of file"),
    Refusal(
      ["edit", "-i", "photo.png", "--method", "sdedit", "-p", "a ball", "--task", "1", "-o", "out.png"],
      says: "sdedit has no use for --task", "translate"),
  ]

  @Test("refuse what cannot be learned, in a sentence", arguments: refusals)
  func refuses(refusal: Refusal) async throws {
    try await refusal.check(in: Workplace.furnished())
  }

  @Test("say which tasks there are where one is asked for that there is not") func unknownTask() async throws
  {
    let place = try Workplace.furnished()
    _ = try await Self.report(Report.self, Self.translator, in: place)
    func edit(_ more: String...) -> [String] {
      ["edit", "-i", "photo.png", "--translator", "t.safetensors", "-o", "out.png"] + more
    }
    let list = "1 \"a red cube\" → \"a red ball\", 2 \"a red cube\" → \"a blue cube\""
    for more in [edit("--task", "a cow"), edit("--task", "3"), edit("--task", "\(Int.min)"), edit()] {
      try await Refusal(more, says: list).check(in: place)
    }
    try await Refusal(edit("--task", "1", "-p", "a ball"), says: "translate has no use for a prompt").check(
      in: place)
    var damaged = try place.bytes("t.safetensors")
    damaged[damaged.count - 3] ^= 1
    try place.add("t.safetensors", damaged)
    try await Refusal(edit("--task", "1"), status: Status.badPicture, says: "it is damaged").check(in: place)
  }
}

@Suite("A LoRA of a picture, from the command line", .serialized) struct LoRATrainingTests {
  private static let train = [
    "train-lora", "photo.png", "-p", "a red cube", "--steps", "3", "--rank", "4", "-o", "l.safetensors",
  ]

  @Test("is trained, written as diffusers reads it, and laid over the model") func trained() async throws {
    let place = try Workplace.furnished()
    let run = try await Command.run(Self.train + ["--report", "json", "--plot", "loss.png"], in: place)
    #expect(run.status == Status.done, "\(run.errors)")
    let report = try JSONDecoder().decode(TrainingTests.Report.self, from: Data(run.output.utf8))
    #expect(report.training == "train-lora" && report.losses.count == 3 && report.gradients == 3)
    let file = try SafetensorsFile(path: place.path("l.safetensors"))
    #expect(file.tensors.allSatisfy { $0.name.hasPrefix("unet.") })
    let a = file.tensors.filter { $0.name.hasSuffix(".lora_A.weight") }
    let b = file.tensors.filter { $0.name.hasSuffix(".lora_B.weight") }
    #expect(a.count == b.count && a.count % 4 == 0 && !a.isEmpty)
    #expect(a.allSatisfy { $0.shape[0] == 4 } && b.allSatisfy { $0.shape[1] == 4 })
    #expect(file.metadata["trained.prompt"] == "\"a red cube\"")
    #expect(place.exists("loss.png"))

    func edit(_ more: String..., to output: String) async throws -> [UInt8] {
      let run = try await Command.run(
        ["edit", "-i", "photo.png", "--method", "sdedit", "-p", "a red cube", "--steps", "4", "-o", output]
          + more, in: place)
      #expect(run.status == Status.done, "\(run.errors)")
      return try place.bytes(output)
    }
    let (plain, learned) = (
      try await edit(to: "plain.png"), try await edit("--lora", "l.safetensors:20", to: "learned.png")
    )
    #expect(plain != learned)
  }

  @Test("trained before a drag drags as its file does, and is found again")
  func drag() async throws {
    let place = try Workplace.furnished()
    func drag(_ more: [String], to output: String) async throws -> (bytes: [UInt8], report: [String: Any]) {
      let arguments = [
        "edit", "-i", "photo.png", "--method", "drag", "-p", "a red cube", "--drag", "30,30:40,30", "--steps",
        "4", "--radius", "2", "-o", output, "--no-metadata", "--report", "json",
      ]
      let run = try await Command.run(arguments + more, in: place)
      #expect(run.status == Status.done, "\(run.errors)")
      let report = try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any]
      return (try place.bytes(output), report ?? [:])
    }
    let learn = ["--lora-steps", "3", "--lora-rank", "4"]
    let alone = try await drag(learn, to: "alone.png")
    #expect(alone.report["gradients"] as? Int == 3 && alone.report["plannedGradients"] as? Int == 3)
    #expect((alone.report["learning"] as? [String: Any])?["training"] as? String == "train-lora")
    // The training is part of the run: a drag of one step takes less than it.
    let learning = try #require(alone.report["learning"] as? [String: Any])
    let (all, part) = (alone.report["seconds"] as? Double, learning["seconds"] as? Double)
    #expect(try #require(all) > #require(part))
    let trained = try await Command.run(Self.train, in: place)
    #expect(trained.status == Status.done, "\(trained.errors)")
    let file = try await drag(["--lora", "l.safetensors"], to: "file.png")
    let plain = try await drag([], to: "plain.png")
    #expect(file.bytes == alone.bytes && plain.bytes != alone.bytes)

    try FileManager.default.createDirectory(at: place.url("cache"), withIntermediateDirectories: true)
    let first = try await drag(learn + ["--lora-cache", "cache"], to: "first.png")
    let kept = try FileManager.default.contentsOfDirectory(atPath: place.path("cache"))
    let again = try await drag(learn + ["--lora-cache", "cache"], to: "again.png")
    #expect(first.bytes == alone.bytes && again.bytes == alone.bytes && kept.count == 1)
    #expect(again.report["learning"] == nil && again.report["gradients"] as? Int == 0)
    // Another setting is another file; a damaged one is trained again.
    _ = try await drag(["--lora-steps", "2", "--lora-rank", "4", "--lora-cache", "cache"], to: "other.png")
    #expect(try FileManager.default.contentsOfDirectory(atPath: place.path("cache")).count == 2)
    var damaged = try place.bytes("cache/\(kept[0])")
    damaged[damaged.count - 2] ^= 1
    try place.add("cache/\(kept[0])", damaged)
    let repaired = try await drag(learn + ["--lora-cache", "cache"], to: "repaired.png")
    #expect(repaired.bytes == alone.bytes && repaired.report["gradients"] as? Int == 3)
  }

  private static func with(_ more: String..., without: [String] = []) -> [String] {
    train.filter { !without.contains($0) }.replaced(by: more)
  }
  private static let drag = [
    "edit", "-i", "photo.png", "-p", "a red cube", "--drag", "30,30:40,30", "-o", "out.png",
  ]

  static let refusals: [Refusal] = [
    Refusal(with("--rank", "0"), says: "--rank 0"), Refusal(with("--steps", "0"), says: "--steps 0"),
    Refusal(with("-p", " ", without: ["-p", "a red cube"]), says: "says something"),
    Refusal(with("--posterior", "mode"), says: "posterior"),
    Refusal(with("--max-ram", "1M"), status: Status.overBudget, says: "--max-ram"),
    Refusal(drag + ["--lora-steps", "0"], says: "--lora-steps 0", "of drag"),
    Refusal(drag + ["--lora-steps", "2", "--lora-rank", "0"], says: "--lora-rank 0"),
    Refusal(drag + ["--lora-rank", "4"], says: "--lora-rank is for a LoRA that is trained first"),
    Refusal(
      drag + ["--lora-steps", "2", "--lora-cache", "none"], status: Status.cannotWrite, says: "no folder"),
    Refusal(
      ["edit", "-i", "photo.png", "--method", "sdedit", "-p", "a", "--lora-steps", "3", "-o", "out.png"],
      says: "sdedit has no use for --lora-steps", "drag"),
  ]

  @Test(
    "refuses what cannot be learned, in a sentence",
    arguments: refusals)
  func refuses(refusal: Refusal) async throws { try await refusal.check(in: Workplace.furnished()) }
}

@Suite("Several values of a setting", .serialized) struct SeriesTests {
  private static let edit = [
    "edit", "-i", "photo.png", "--method", "pti", "-p", "a red ball", "--steps", "3", "--inner-steps", "2",
  ]

  @Test("make a sheet of what each makes alone, with one inversion") func sheet() async throws {
    let place = try Workplace.furnished()
    let list = Self.edit + ["--interpolation", "0.25,1,0"]
    let sheet = try await Command.run(
      list + ["-o", "sheet.png", "--plot", "loss.png", "--report", "json"], in: place)
    #expect(sheet.status == Status.done, "\(sheet.errors)")
    let reports = try #require(
      try JSONSerialization.jsonObject(with: Data(sheet.output.utf8)) as? [[String: Any]])
    #expect(reports.count == 3)
    // N + N·(2 + J) + 2N to begin with, 2N for each of the others.
    #expect(reports.map { $0["gradients"] as? Int } == [6, 0, 0])
    #expect((reports[0]["losses"] as? [Any])?.count == 6 && reports[1]["evaluations"] as? Int == 6)
    let picture = try PictureFile.read(place.path("sheet.png"))
    #expect(picture.width == 3 * 96 + 2 * 4 && picture.height == 80 + 24)

    let single = try await Command.run(list + ["-o", "ball-{}.png"], in: place)
    #expect(single.output == "ball-0.25.png\nball-1.0.png\nball-0.0.png\n", "\(single.errors)")
    for (i, value) in ["0.25", "1.0", "0.0"].enumerated() {
      let alone = try await Command.run(
        Self.edit + ["--interpolation", value, "-o", "alone.png"], in: place)
      #expect(alone.status == Status.done, "\(alone.errors)")
      let expected = try PictureFile.read(place.path("alone.png"))
      #expect(try PictureFile.read(place.path("ball-\(value).png")) == expected)
      for y in 0..<80 {
        let start = 3 * ((y + 24) * picture.width + i * 100)
        #expect(picture.pixels[start..<start + 288] == expected.pixels[3 * 96 * y..<3 * 96 * (y + 1)])
      }
    }
  }

  static let refusals: [Refusal] = [
    Refusal(edit + ["--interpolation", "0.2,", "-o", "out.png"], says: "interpolation"),
    Refusal(edit + ["--interpolation", "0.2,2", "-o", "out.png"], says: "--interpolation 2.0"),
    Refusal(edit + ["--interpolation", "1,1", "-o", "a{}.png"], says: "are one file"),
    Refusal(
      [
        "edit", "-i", "photo.png", "--method", "sdedit", "-p", "a", "--interpolation", "0,1", "-o", "o.png",
      ],
      says: "--interpolation", "pti"),
    Refusal(
      ["edit", "-i", "photo.png", "--method", "sdedit", "-p", "a", "--plot", "p.png", "-o", "o.png"],
      says: "tunes nothing", "leave --plot out"),
  ]

  @Test(
    "are refused where a method has no such setting, or a value is none",
    arguments: refusals)
  func refuses(refusal: Refusal) async throws { try await refusal.check(in: Workplace.furnished()) }
}
