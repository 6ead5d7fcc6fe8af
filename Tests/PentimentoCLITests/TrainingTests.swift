import Foundation
import Testing
import WeightStorage

@Suite("Trainings, from the command line", .serialized) struct TrainingTests {
  struct Report: Decodable {
    var training: String, parameters: [String: String], losses: [Double], seed: UInt64, trained: Int
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
    #expect(report.losses.allSatisfy(\.isFinite))
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
    let steps = Self.translator.map { $0 == "4" ? "60" : $0 } + ["--generate", "2"]
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
    translator.filter { !without.contains($0) } + more
  }

  static let refusals = [
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
    Refusal(with("--plot", "t.safetensors"), says: "--plot"),
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
    for more in [edit("--task", "a cow"), edit("--task", "3"), edit()] {
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
