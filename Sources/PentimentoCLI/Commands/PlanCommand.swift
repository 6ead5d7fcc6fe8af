import ArgumentParser
import FoundationEssentials
import ImageFiles
import Pentimento
import Tensors

struct PlanCommand: RunCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Say what an edit will hold in memory, what it will read and how long it will take.",
    discussion: """
      Takes the options of 'edit' that have a part in it. Without a picture, --size is its size. Times are estimates: the first plan on a machine \
      measures for two seconds how fast it computes and reads, and the user's cache folder remembers that.
      """)

  @OptionGroup var edit: EditOptions
  @OptionGroup var out: PlannedOutputOptions
  @OptionGroup var replay: ReplayOptions
  @OptionGroup var runtime: RuntimeOptions

  @Option(help: "json: the plan as JSON instead of a table.")
  var report: ReportFormat?

  var computing: ThreadOptions? { runtime.model.parallel }
  var reportsJSON: Bool { report == .json }

  func run() async throws {
    let editor = try runtime.editor()
    func square(_ side: Int) -> Extent { Extent(width: side, height: side) }
    let imagined =
      switch try edit.size.request {
      case .box(let box): box
      case .side(let side): square(side)
      case .native, nil: square(editor.model.nativeSize)
      }
    let (request, choice) = try edit.request(on: editor.model, imagined: ImaginedPicture(extent: imagined))
    if let choice { note(choice) }
    let values = try edit.settings.list
    func prepare() throws -> (job: EditJob, plan: MemoryPlan) {
      guard values.isEmpty else {
        let series = try editor.prepare(request, SettingOptions.listed, values: values)
        return (series.first, series.plan)
      }
      let job = try editor.prepare(request)
      return (job, job.plan)
    }
    var (job, plan) = try prepare()
    // What cannot be measured is left open: a plan is of use without it.
    let speed = try? job.machineSpeed()
    if let speed {
      // How many evaluations share a pass depends on it.
      if plan.hasUntimedChoices { (job, plan) = try prepare() }
      plan = plan.timed(at: speed)
    }
    if report == .json { return try StandardOutput.write(json: plan) }
    try StandardOutput.write(table(plan) + "\n\n" + workTable(plan, speed))
  }
}

/// One row per stage, in megabytes of 10⁶ bytes.
private func table(_ plan: MemoryPlan) -> String {
  func mb(_ bytes: Int) -> String { String(megabytes: bytes).aligned(to: 11) }
  func row(_ name: String, _ cells: [String]) -> String {
    name.padding(to: 20) + cells.joined(separator: " ")
  }
  let columns = ["activations", "scratch", "trained", "weights", "window", "stored", "sum"].map {
    $0.aligned(to: 11)
  }
  var lines = [row("MB", columns)]
  for stage in plan.stages {
    let cells = [
      stage.arena, stage.scratch, stage.parameters, stage.residentWeights, stage.streaming, stage.stored,
      stage.total,
    ]
    lines.append(row(stage.name, cells.map(mb)))
  }
  lines.append("")
  lines.append(row("largest stage", [mb(plan.largestStage?.total ?? 0), plan.largestStage?.name ?? "none"]))
  lines.append(row("pictures held", [mb(plan.held)]))
  lines.append(row("process before it", [mb(plan.baseline)]))
  lines.append(row("peak", [mb(plan.peak)]))
  if let attention = plan.stages.first(where: { $0.name == "denoise" })?.attention {
    lines.append(row("attention", [attention.rawValue.aligned(to: 11)]))
  }
  lines += plan.stages.compactMap(lanes)
  for stage in plan.stages { lines += stage.gradient.map { explanation($0, of: stage) } ?? [] }
  return lines.joined(separator: "\n")
}

extension MemoryPlan {
  /// Whether numbers of lanes were compared without the machine's speed.
  fileprivate var hasUntimedChoices: Bool {
    stages.contains { $0.work?.laneChoices.contains { $0.seconds == nil } ?? false }
  }
}

/// Why so many evaluations share a pass over weights that are read again; nil where none are, or where nothing can be
/// shared.
private func lanes(_ stage: MemoryPlan.Stage) -> String? {
  guard let work = stage.work, work.evaluationsAtOnce > 1,
    let chosen = work.laneChoices.first(where: { $0.lanes == work.lanes })
  else { return nil }
  func words(_ choice: MemoryPlan.Lanes) -> String {
    let seconds = choice.seconds.map { " in \(Double(Int($0 * 10)) / 10) s" } ?? ""
    return "\(choice.passes == 1 ? "one pass" : "\(choice.passes) passes") of "
      + "\(String(megabytes: choice.bytes / choice.passes)) MB\(seconds)"
  }
  let others = work.laneChoices.filter { $0.lanes != work.lanes }
  // The nearest that there is to having none, else to having more.
  let other = others.first { $0.lanes == 1 } ?? others.last
  return
    "\(stage.name): of \(work.evaluationsAtOnce) evaluations at once, \(work.lanes) share a pass over the weights: "
    + words(chosen)
    + (other.map { "; \($0.lanes) by \($0.lanes) would take \(words($0))" } ?? "; there is no room for more")
}

/// One row per network: what it computes and reads, in megabytes, and how long that takes.
private func workTable(_ plan: MemoryPlan, _ speed: MachineSpeed?) -> String {
  func row(_ name: String, _ cells: [String]) -> String {
    name.padding(to: 20) + cells.map { $0.aligned(to: 11) }.joined(separator: " ")
  }
  func seconds(_ seconds: Double?) -> String { seconds.map { "\(Double(Int($0 * 10)) / 10)" } ?? "unknown" }
  func mb(_ bytes: Int) -> String { String(megabytes: bytes) }
  var lines = [
    row("work", ["evaluations", "gradients", "GMAC", "MB once", "MB a pass", "MB read", "seconds"])
  ]
  for stage in plan.stages {
    guard let work = stage.work else { continue }
    lines.append(
      row(
        stage.name,
        [
          "\(work.evaluations)", "\(work.gradients)", "\(work.allMultiplyAdds / 1_000_000_000)",
          mb(work.bytesOnce),
          mb(work.gradients > 0 ? work.bytesPerGradient : work.bytesPerPass), mb(work.bytes),
          seconds(work.seconds),
        ]))
  }
  lines.append(row("sum", ["", "", "", "", "", mb(plan.bytesRead), seconds(plan.seconds)]))
  if let speed {
    lines.append(
      "estimated from \(Int(speed.multiplyAddsPerSecond / 1e9)) GMAC/s and \(Int(speed.bytesPerSecond / 1e6)) MB/s, "
        + "as measured on this machine")
  }
  return lines.joined(separator: "\n")
}

/// What a gradient takes, and what a smaller budget would meet.
private func explanation(_ gradient: MemoryPlan.Gradient, of stage: MemoryPlan.Stage) -> [String] {
  func mb(_ bytes: Int) -> String { "\(String(megabytes: bytes)) MB" }
  func billions(_ count: Int) -> String { "\(Double(count / 100_000_000) / 10) GMAC" }
  return [
    "",
    "one gradient takes \(billions(gradient.multiplyAdds)), \(billions(gradient.recomputedMultiplyAdds)) of them to compute "
      + "\(gradient.recomputedBlocks) of \(gradient.blocks) blocks again",
    "with every block kept, activations take \(mb(gradient.arenaKeepingAll)) instead of \(mb(stage.arena))",
    "the least that \(stage.name) can do with is \(mb(gradient.least + stage.stored)): every block computed again, "
      + "activations \(mb(gradient.leastArena)), scratch \(mb(gradient.leastScratch)), window \(mb(gradient.leastStreaming))",
  ]
}
