import Pentimento

/// Runs an edit with progress on the terminal, and says on standard error what the user should know of it.
func perform(_ job: EditJob, _ journal: FileJournal?) async throws -> EditResult {
  await note(
    "\(job.methodName), seed \(job.seed), \(job.workingSize) working pixels\(job.shownPart.map { " " + $0 } ?? "")",
    journal)
  let result = try await showingProgress { progress in
    try await job.run(journal: journal, progress: progress)
  }
  try tell([result])
  return result
}

/// The same for several values of a setting.
func perform(_ series: EditSeries, _ journal: FileJournal?) async throws -> [EditResult] {
  let job = series.first
  await note(
    "\(job.methodName), seed \(job.seed), \(job.workingSize) working pixels, \(series.values.count) values of "
      + series.setting, journal)
  let results = try await showingProgress { progress in
    try await series.run(journal: journal, progress: progress)
  }
  try tell(results)
  return results
}

/// What there is to know of finished edits, each sentence once.
private func tell(_ results: [EditResult]) throws {
  // An interrupt that comes later is too late: all files are written, or none.
  try Task.checkCancellation()
  var told: Set<String> = []
  for result in results {
    for cut in result.report.cutPrompts where told.insert(cut).inserted { noteCut(cut) }
    if let detail = result.report.change?.detail {
      let line = "fine detail of the photo is given back in \(Int((100 * detail).rounded())) % of the picture"
      if told.insert(line).inserted { note(line) }
    }
    for warning in result.report.warnings where told.insert(warning).inserted { note(warning) }
  }
}

/// Part of a prompt did not fit.
func noteCut(_ part: String) {
  note("the prompt is longer than the model reads; left out: \"\(part)\"")
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
    noMetadata ? [] : report.metadata(record)
  }
}
