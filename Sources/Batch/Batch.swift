import Files
import FoundationEssentials
import Pentimento

/// Many edits with one model into one folder, which is finished whatever happens on the way.
///
///     OUT/<job>.png                 the results, each complete or not there
///     OUT/<job>-sheet.png           all pictures of a line that made several
///     OUT/batch.journal             what happened, a line an event
///     OUT/<job>.checkpoint          of jobs that are under way
///     OUT/summary.json              what became of each job
///
/// Jobs of one working size whose methods ask for the same of the network go through the stages together
/// (`EditGroup`), as many as cost least by their plan. A job that cannot be done is recorded and stops nothing.
/// Whoever runs the same batch again goes on where it broke off.
public struct Batch: Sendable {
  /// What the batch does not know of jobs.
  public struct Work: Sendable {
    /// The request that a job's words make.
    public var request: @Sendable (BatchJob) throws -> EditRequest
    /// Refuses what can be refused once the method is known.
    public var check: @Sendable (BatchJob, PreparedEdit) throws -> Void = { _, _ in }
    /// Brings a result to disk, all of its files or none.
    public var write: @Sendable (BatchJob, EditResult) throws -> Void
    /// Brings a sheet of finished pictures to disk: their numbers and paths, row by row; nil for one that failed.
    public var writeSheet:
      @Sendable (_ pictures: [(number: Int, path: String?)], _ columns: Int, _ path: String) throws -> Void
    /// An error in a sentence, with what the command would end with.
    public var explain: @Sendable (any Error) -> (sentence: String, status: Int)
    /// Told what becomes of each job, in the order of the list.
    public var tell: @Sendable (BatchOutcome) throws -> Void
    /// Told evaluations done and planned of all jobs, the latter an estimate until all are read.
    public var progress: @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }

    public init(
      request: @escaping @Sendable (BatchJob) throws -> EditRequest,
      write: @escaping @Sendable (BatchJob, EditResult) throws -> Void,
      writeSheet: @escaping @Sendable ([(number: Int, path: String?)], Int, String) throws -> Void,
      explain: @escaping @Sendable (any Error) -> (sentence: String, status: Int),
      tell: @escaping @Sendable (BatchOutcome) throws -> Void
    ) {
      (self.request, self.write, self.writeSheet) = (request, write, writeSheet)
      (self.explain, self.tell) = (explain, tell)
    }
  }

  public var editor: Editor
  /// Where the results go; it is made where there is none.
  public var folder: String
  public var work: Work
  /// Words that hold for every job, as they were written: a job that was done with others is another job.
  public var common: [String] = []
  public var shard = Shard.whole
  /// Whether files that are there and are not of this batch may be replaced.
  public var replaces = false
  /// Looked at between two steps: what is under way then is saved, and the rest left.
  public var isStopped: @Sendable () -> Bool = { false }

  public init(_ editor: Editor, into folder: String, _ work: Work) {
    (self.editor, self.folder, self.work) = (editor, folder, work)
  }

  /// Jobs that are looked at together, to find those that go together.
  static let window = 64

  /// - Returns: what became of the jobs; it is in the folder, too.
  /// - Throws: `BatchError`, `FileError` where nothing can be recorded, what `tell` throws.
  public func run(_ source: some JobSource) async throws -> BatchSummary {
    try makeFolder()
    let isNew = !FileManager.default.fileExists(atPath: journalPath)
    guard !isNew || replaces || !FileManager.default.fileExists(atPath: summaryPath) else {
      throw BatchError.folder(folder, reason: "\(summaryPath) is there already and of no batch")
    }
    let journal = try BatchJournal(path: journalPath)
    let course = BatchCourse(self, journal)
    let clock = ContinuousClock.now
    try journal.note("started")
    try await course.run(source)
    let summary = BatchSummary(
      jobs: course.outcomes, sheets: course.sheets, wasStopped: isStopped(), model: editor.model.name,
      seconds: Double((ContinuousClock.now - clock).components.seconds)
        + Double((ContinuousClock.now - clock).components.attoseconds) * 1e-18,
      plannedBytes: course.plannedBytes, peakBytes: ProcessMemory.peak, streamedBytes: course.streamedBytes)
    try journal.note(summary.wasStopped ? "stopped" : "ended", jobs: summary.jobs.count)
    try write(summary)
    return summary
  }

  var journalPath: String { "\(folder)/batch\(shard.suffix).journal" }
  private var summaryPath: String { "\(folder)/summary\(shard.suffix).json" }

  private func makeFolder() throws {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch { throw BatchError.folder(folder, reason: "\(error)") }
  }

  private func write(_ summary: BatchSummary) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let bytes = Array(try encoder.encode(summary)) + [10]
    let file = try PartialFile(path: summaryPath)
    try file.write(bytes)
    try PartialFile.commit([file])
  }
}
