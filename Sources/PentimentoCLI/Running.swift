import Pentimento

/// Runs an edit with progress on the terminal, and says on standard error what the user should know of it.
func perform(_ job: EditJob, choice: String?, _ journal: FileJournal? = nil) async throws -> EditResult {
  if let choice { note(choice) }
  note("\(job.methodName), seed \(job.seed), \(job.workingSize) working pixels")
  let result = try await showingProgress { progress in 
    try await job.run(journal: journal, progress: progress)
   }
  // An interrupt that comes later is too late: all files are written, or none.
  try Task.checkCancellation()
  for cut in result.report.cutPrompts { noteCut(cut) }
  for warning in result.report.warnings { note(warning) }
  return result
}

/// Part of a prompt did not fit.
func noteCut(_ part: String) {
  note("the prompt is longer than the model reads; left out: \"\(part)\"")
}

/// A line of progress that is gone before anything else is said, a failure included.
func showingProgress<Result>(
  _ work: (_ progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void) async throws -> Result
) async throws -> Result {
  let line = ProgressLine()
  defer { line.clear() }
  return try await work { done, total in line.show(done, of: total) }
}

/// Says on standard output what was made: its path, or the report.
func printResult(_ report: EditReport, _ out: OutputOptions) throws {
  switch out.report {
  case .json:
    var report = report
    // Pasting back and writing may have taken more than the edit itself.
    report.peakBytes = max(report.peakBytes, ProcessMemory.peak)
    try StandardOutput.write(json: report)
  case nil: try StandardOutput.write(path: out.output)
  }
}

extension OutputOptions {
  /// What goes into the picture's file.
  func metadata(of report: EditReport) -> [(String, String)] { noMetadata ? [] : report.metadata }
}
