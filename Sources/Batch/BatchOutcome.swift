import Pentimento

/// What became of a job.
public struct BatchOutcome: Sendable, Codable, Equatable {
  public enum State: String, Sendable, Codable {
    case done, failed
    /// The batch was stopped before it was done; the same command goes on with it.
    case left
  }

  public var job: String
  public var state: State
  /// Where the job stands in the list.
  public var origin: String
  /// The picture, in the folder of the batch.
  public var output: String?
  /// Done by an earlier run of the batch.
  public var wasDoneBefore: Bool?
  /// Of a failure: what the command would end with, and its sentence.
  public var status: Int?
  public var error: String?

  public var method: String?
  public var seed: UInt64?
  public var width: Int?
  public var height: Int?
  public var evaluations: Int?
  /// From the beginning of the stages that it shared with others.
  public var seconds: Double?
  /// Jobs that went through the stages together.
  public var together: Int?
  public var warnings: [String]?

  /// The mask and the inversion, where they were kept.
  public var mask: String?
  public var inversion: String?

  init(_ entry: BatchEntry, _ state: State) {
    (job, self.state) = (entry.name, state)
    switch entry {
    case .job(let job):
      (origin, output, mask, inversion) = (job.origin, job.output, job.mask, job.inversion)
    case .broken(_, let origin, _): (self.origin, output) = (origin, nil)
    }
  }

  mutating func add(_ report: EditReport) {
    (method, seed, width, height) = (report.method, report.seed, report.width, report.height)
    (evaluations, seconds, together) = (report.evaluations, report.seconds, report.editsTogether)
    let cut = report.cutPrompts.map {
      "left out of the prompt: \"\($0)\"; prompt-syntax weighted reads all of it"
    }
    let sentences = cut + report.warnings
    warnings = sentences.isEmpty ? nil : sentences
  }
}

/// What became of a batch: of every job that was read, in the order of the list.
public struct BatchSummary: Sendable, Codable, Equatable {
  public var jobs: [BatchOutcome]
  /// Of lines that made several pictures.
  public var sheets: [BatchOutcome]
  /// Whether it was stopped before its end.
  public var wasStopped: Bool
  public var model: String
  public var seconds: Double
  /// The most that was planned for jobs that went together; 0 where nothing ran.
  public var plannedBytes: Int
  /// As the kernel counted for this process.
  public var peakBytes: Int
  /// Weights that were read again and again.
  public var streamedBytes: Int

  public func count(_ state: BatchOutcome.State) -> Int { jobs.count { $0.state == state } }

  /// One row for every method, and one for each job that failed.
  public var table: String {
    func row(_ cells: [String]) -> String {
      cells[0] + String(repeating: " ", count: max(1, 24 - cells[0].count))
        + cells.dropFirst().map { String(repeating: " ", count: max(1, 10 - $0.count)) + $0 }.joined()
    }
    let done = jobs.filter { $0.state == .done }
    var lines = [row(["method", "jobs", "evaluations", "seconds"])]
    for method in Set(done.compactMap(\.method)).sorted() {
      let own = done.filter { $0.method == method }
      let evaluations = own.reduce(0) { $0 + ($1.evaluations ?? 0) }
      let seconds = own.reduce(0) { $0 + ($1.seconds ?? 0) / Double(max($1.together ?? 1, 1)) }
      lines.append(row([method, "\(own.count)", "\(evaluations)", "\(Double(Int(seconds * 10)) / 10)"]))
    }
    let before = done.count { $0.wasDoneBefore == true }
    var words = ["\(done.count) of \(jobs.count) jobs done"]
    if before > 0 { words.append("\(before) of them before") }
    if count(.failed) > 0 { words.append("\(count(.failed)) failed") }
    if count(.left) > 0 || wasStopped { words.append("\(count(.left)) left for the same command") }
    lines.append(words.joined(separator: ", "))
    for job in jobs + sheets where job.state == .failed {
      // A line of an error is no line of the table.
      let error = (job.error ?? "").split(whereSeparator: \.isNewline).joined(separator: " ")
      lines.append("\(job.job) (\(job.origin)): \(error)")
    }
    return lines.joined(separator: "\n")
  }
}

/// Why a batch cannot begin.
public enum BatchError: Error, Equatable, CustomStringConvertible {
  case inUse(journal: String)
  case notAJournal(String)
  case folder(String, reason: String)

  public var description: String {
    switch self {
    case .inUse(let journal):
      "\(journal) is the journal of a batch that is going on: wait for its end, or name another folder"
    case .notAJournal(let path):
      "\(path) is no journal of a batch: take it away, or name another folder"
    case .folder(let path, let reason):
      "\(path) cannot be the folder of a batch (\(reason)): name another with --out"
    }
  }
}
