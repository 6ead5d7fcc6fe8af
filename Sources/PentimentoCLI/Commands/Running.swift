import Kernels
import Pentimento
import Synchronization

/// Runs an edit with progress on the terminal, and says on standard error what the user should know of it.
func perform(
  _ job: EditJob, _ journal: FileJournal?, _ preview: PreviewOptions
) async throws -> EditResult {
  await note(
    "\(job.methodName), seed \(job.seed), \(job.workingSize) working pixels\(job.shownPart.map { " " + $0 } ?? "")",
    journal)
  explain(job.plan, evaluations: job.evaluations, gradients: job.gradients, of: job.editor)
  let notes = Notes.ofEdits
  let result = try await notes.watching(preview.watch) {
    try await showingProgress { progress in try await job.run(journal: journal, progress: progress) }
  }
  try notes.tell([result])
  return result
}

/// The same for several values of a setting.
func perform(
  _ series: EditSeries, _ journal: FileJournal?, _ preview: PreviewOptions
) async throws -> [EditResult] {
  let job = series.first
  await note(
    "\(job.methodName), seed \(job.seed), \(job.workingSize) working pixels, \(series.values.count) values of "
      + series.setting, journal)
  explain(series.plan, evaluations: series.evaluations, gradients: series.gradients, of: job.editor)
  let notes = Notes.ofEdits
  let results = try await notes.watching(preview.watch) {
    try await showingProgress { progress in try await series.run(journal: journal, progress: progress) }
  }
  try notes.tell(results)
  return results
}

/// What is going to run, for those who want to know.
func explain(_ plan: MemoryPlan, evaluations: Int, gradients: Int, of editor: Editor) {
  Messages.detail("model \(editor.model.name), made for \(editor.model.nativeSize) pixels")
  Messages.detail(
    "kernels \(KernelSet.chosen.name), \(editor.threads) \(editor.threads == 1 ? "thread" : "threads")")
  let largest = plan.largestStage.map { ", most of it in \"\($0.name)\"" } ?? ""
  let limit = editor.memoryLimit.map { " of \(String(megabytes: $0.bytes)) MB" } ?? ""
  Messages.detail(
    "planned: \(evaluations) evaluations" + (gradients > 0 ? ", \(gradients) gradients" : "")
      + ", at most \(String(megabytes: plan.peak)) MB\(limit)\(largest), \(String(megabytes: plan.bytesRead)) MB of "
      + "weights to read")
}

/// What there is to say of a run, each sentence once: of its inputs as soon as it is known, of its results at the end.
final class Notes: Sendable {
  private let told = Mutex<Set<String>>([])
  private let longerPrompts: String

  /// - Parameter longerPrompts: what keeps the part of a prompt that does not fit.
  init(longerPrompts: String = "") { self.longerPrompts = longerPrompts }

  /// For edits, whose prompts may have any length.
  static var ofEdits: Notes { Notes(longerPrompts: "; --prompt-syntax weighted reads all of it") }

  func tell(_ line: String) {
    if told.withLock({ $0.insert(line).inserted }) { note(line) }
  }

  /// Part of a prompt did not fit.
  func tell(cut part: String) {
    tell("the prompt is longer than the model reads; left out: \"\(part)\"\(longerPrompts)")
  }

  /// Of finished edits.
  func tell(_ results: [EditResult]) throws {
    // An interrupt that comes later is too late: all files are written, or none.
    try Task.checkCancellation()
    for result in results {
      for cut in result.report.cutPrompts { tell(cut: cut) }
      if let detail = result.report.change?.detail {
        let share = Int((100 * detail).rounded())
        tell("fine detail of the photo is kept in \(share) % of the picture, where nothing changed")
      }
      for warning in result.report.warnings { tell(warning) }
    }
    Messages.stage("write picture")
  }

  /// Runs `work` and says what comes up on the way.
  func watching<Result>(
    _ preview: RunWatch.Preview? = nil, _ work: () async throws -> Result
  ) async throws -> Result {
    let watch = RunWatch(
      stage: { Messages.stage($0) }, note: { self.tell($0) }, cut: { self.tell(cut: $0) }, preview: preview)
    return try await RunWatch.$current.withValue(watch) { try await work() }
  }
}

/// A line of progress that is gone before anything else is said, a failure included.
func showingProgress<Result>(
  _ unit: String = "evaluations",
  _ work: (_ progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void) async throws -> Result
) async throws -> Result {
  let line = ProgressLine(unit)
  defer { line.clear() }
  return try await work { done, total in line.show(done, of: total) }
}

/// Says on standard output what was made: its path, or the report.
func printResult(_ report: EditReport, _ out: OutputOptions) throws {
  Messages.stage(nil)
  Messages.detail(
    "done in \(report.seconds.rounded(to: 2)) s, at most \(String(megabytes: report.withPeakNow.peakBytes)) MB"
  )
  switch out.report {
  case .json:
    try StandardOutput.write(json: report.withPeakNow)
  case nil where out.output == "-": break
  case nil: try StandardOutput.write(path: out.output)
  }
}

extension EditReport {
  /// Pasting back and writing may have taken more than the edit itself.
  var withPeakNow: EditReport {
    var report = self
    report.peakBytes = max(report.peakBytes, ProcessMemory.peak)
    return report
  }
}

extension OutputOptions {
  /// What goes into the picture's file.
  func metadata(of report: EditReport, _ record: EditRecord) -> [(String, String)] {
    encoding.noMetadata ? [] : report.metadata(record)
  }
}
