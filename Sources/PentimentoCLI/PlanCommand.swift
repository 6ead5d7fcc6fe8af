import ArgumentParser
import Foundation
import ImageFiles
import Pentimento
import Tensors

struct PlanCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan", abstract: "Say what an edit will hold in memory, before anything is computed.",
    discussion: "Takes the options of 'edit'. Without a picture, --size is its size.")

  @Option(
    name: [.customShort("i"), .customLong("image"), .customLong("input"), .customLong("init-img")],
    help: "The picture to edit; only its size matters.")
  var image: String?

  @Option(help: "The method; 'pentimento methods' lists them.")
  var method = "ddpm-inversion"

  @Option(help: "What the picture shows.")
  var sourcePrompt: String?

  @Option(help: "Part of the steps to leave out, 0 to 1.")
  var skip: Double?

  @Option(help: "Part of the schedule to run, 0 to 1.")
  var strength: Double?

  @OptionGroup var prompts: PromptOptions
  @OptionGroup var settings: SettingOptions
  @OptionGroup var runtime: ModelOptions

  @Option(help: "json: the plan as JSON instead of a table.")
  var report: ReportFormat?

  func run() async throws {
    try await reportingErrors {
      let model = try runtime.open()
      let picture = try image.map { try PictureFile.read($0) }
      let working = try settings.workingSize(of: picture.map(Extent.init), for: model)
      var request = EditRequest(method: method, working: working, prompts)
      request.prompt = request.prompt ?? "a picture"
      request.sourcePrompt = sourcePrompt
      request.settings.skip = skip
      request.settings.strength = strength
      settings.apply(to: &request)
      if method != "generate" {
        request.picture = Picture(
          width: request.width, height: request.height,
          pixels: Array(repeating: 0, count: request.width * request.height * 3))
      }
      let original = picture.map(Extent.init) ?? working.content
      let plan = try Editor(model: model, threads: runtime.threads)
        .plan(request, picturePixels: original.width * original.height)
      if report == .json {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        print(String(decoding: try encoder.encode(plan), as: UTF8.self))
      } else {
        print(table(plan))
      }
    }
  }
}

/// One row per stage, in megabytes of 10⁶ bytes.
private func table(_ plan: MemoryPlan) -> String {
  func mb(_ bytes: Int) -> String { String(format: "%9.1f", Double(bytes) / 1e6) }
  func row(_ name: String, _ cells: [String]) -> String {
    name.padding(toLength: 12, withPad: " ", startingAt: 0) + cells.joined(separator: " ")
  }
  var lines = [
    row("MB", ["activations", "scratch", "weights", "window", "stored", "sum"].map {
      String(repeating: " ", count: max(9 - $0.count, 0)) + $0
    })
  ]
  for stage in plan.stages {
    lines.append(
      row(stage.name, [
        "  " + mb(stage.arena), mb(stage.scratch), mb(stage.residentWeights), mb(stage.streaming),
        mb(stage.stored), mb(stage.total),
      ]))
  }
  lines.append("")
  lines.append("largest stage      \(mb(plan.largestStage?.total ?? 0)) (\(plan.largestStage?.name ?? "none"))")
  lines.append("pictures           \(mb(plan.pictures))")
  lines.append("process before it  \(mb(plan.baseline))")
  lines.append("peak               \(mb(plan.peak))")
  return lines.joined(separator: "\n")
}
