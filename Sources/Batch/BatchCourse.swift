import Files
import FoundationEssentials
import Pentimento
import Synchronization

/// One run of a batch.
///
/// `@unchecked Sendable`: all that changes lies in `state`, under its mutex.
final class BatchCourse: @unchecked Sendable {
  private let batch: Batch
  private let journal: BatchJournal
  private let state = Mutex(State())
  private let shelf = NetworkShelf()

  private struct State {
    var outcomes: [BatchOutcome?] = []
    var sheets = SheetCourse()
    var sheetOutcomes: [BatchOutcome] = []
    /// The most of one group, bytes.
    var planned = 0
    /// Evaluations of jobs that are ready or done, and how many those are.
    var (known, ready) = (0, 0)
    /// Evaluations of groups that have ended.
    var ended = 0
    /// Outcomes that have been told: all of those before are known.
    var told = 0
    var streamedBytes = 0
    /// Nothing can be recorded or told any more.
    var failure: (any Error)?
  }

  /// A job that is ready for its networks.
  private struct Pending {
    let place: Int
    let job: BatchJob
    let digest: String
    let edit: PreparedEdit
    let checkpoint: FileJournal
  }

  init(_ batch: Batch, _ journal: BatchJournal) { (self.batch, self.journal) = (batch, journal) }

  var outcomes: [BatchOutcome] { state.withLock { $0.outcomes.compactMap { $0 } } }
  var sheets: [BatchOutcome] { state.withLock { $0.sheetOutcomes } }
  var plannedBytes: Int { state.withLock { $0.planned } }
  var streamedBytes: Int { state.withLock { $0.streamedBytes } }

  func run(_ source: some JobSource) async throws {
    var (source, pending, hasEnded) = (source, [Pending](), false)
    while !hasEnded || !pending.isEmpty {
      if !hasEnded, !batch.isStopped() {
        let room = Batch.window - pending.count
        if room > 0, let entries = try source.next(atMost: room, waits: pending.isEmpty) {
          for entry in entries {
            if let job = try consider(entry) { pending.append(job) }
          }
        } else if room > 0 {
          hasEnded = true
        }
        try writeSheets()
      }
      if batch.isStopped() {
        for job in pending { try settle(job.place, BatchOutcome(.job(job.job), .left)) }
        while let rest = try source.next(atMost: Batch.window, waits: false), !rest.isEmpty {
          for entry in rest { try leave(entry) }
        }
        return
      }
      guard !pending.isEmpty else { continue }
      let group = batch.editor.grouped(pending.map(\.edit))
      let members = group.places.map { pending[$0] }
      for place in group.places.sorted(by: >) { pending.remove(at: place) }
      try await run(members, group.edits, of: source.count)
      try writeSheets()
    }
  }

  // MARK: One job before its networks

  /// What is ready to run; nil where its outcome is known already.
  private func consider(_ entry: BatchEntry) throws -> Pending? {
    let place = state.withLock { state in
      state.outcomes.append(nil)
      return state.outcomes.count - 1
    }
    guard case .job(let job) = entry else {
      if case .broken(let name, _, let reason) = entry {
        try journal.fail(name, digest: "", status: 64, reason)
        var outcome = BatchOutcome(entry, .failed)
        (outcome.status, outcome.error) = (64, reason)
        try settle(place, outcome)
      }
      return nil
    }
    let digest = job.digest(common: batch.common)
    if let sheet = job.sheet { state.withLock { $0.sheets.add(sheet, place, job.origin, digest) } }
    let there = job.files.filter(isThere)
    let (exists, isWhole) = (!there.isEmpty, there.count == job.files.count)
    let own = journal.records.own(job, digest: digest)
    let record = journal.records.known(job, digest: digest)
    switch record?.state {
    case .done(var outcome) where isWhole:
      outcome.wasDoneBefore = true
      try? FileManager.default.removeItem(atPath: checkpoint(job))
      try settle(place, outcome)
      return nil
    case .began where isWhole && record?.replaces == false:
      // Nothing was there when the job began, so it is the job's: the break came before this line.
      var outcome = BatchOutcome(entry, .done)
      if own != nil { try journal.finish(job, digest: digest, outcome) }
      try? FileManager.default.removeItem(atPath: checkpoint(job))
      outcome.wasDoneBefore = true
      try settle(place, outcome)
      return nil
    case .failed(let status, let error) where Self.isFinal(status):
      var outcome = BatchOutcome(entry, .failed)
      (outcome.status, outcome.error, outcome.wasDoneBefore) = (status, error, true)
      try settle(place, outcome)
      return nil
    case nil where journal.records[job.name] == nil && !batch.replaces && isThere(job.checkpoint):
      try refuse(place, job, inTheWay: job.checkpoint)
      return nil
    case nil where !exists || batch.replaces:
      // What an earlier job of the name left is of no use to this one.
      try? FileManager.default.removeItem(atPath: checkpoint(job))
    case nil:
      try refuse(place, job, inTheWay: there[0])
      return nil
    case .failed where exists && !batch.replaces:
      // A job that failed has left nothing there.
      try refuse(place, job, inTheWay: there[0])
      return nil
    case .began, .done, .failed: break
    }
    let (edit, progress): (PreparedEdit, FileJournal)
    do {
      edit = try batch.editor.prepareForGroup(batch.work.request(job))
      try batch.work.check(job, edit)
      progress = try FileJournal(path: checkpoint(job))
    } catch {
      try fail(place, job, digest, error)
      return nil
    }
    if own?.state != .began {
      try journal.begin(job, digest: digest, checkpoint: checkpoint(job), replaces: exists)
    }
    state.withLock { state in
      state.known += edit.work
      state.ready += 1
    }
    return Pending(place: place, job: job, digest: digest, edit: edit, checkpoint: progress)
  }

  /// Whether the run itself failed, after all its work: with the same words it would do so again. What can be put right, a
  /// missing picture or a full disk, or what costs nothing to find, is tried again.
  private static func isFinal(_ status: Int) -> Bool { status == 1 }

  private func path(_ file: String) -> String { "\(batch.folder)/\(file)" }
  private func checkpoint(_ job: BatchJob) -> String { path(job.checkpoint) }
  private func isThere(_ file: String) -> Bool { FileManager.default.fileExists(atPath: path(file)) }

  // MARK: Running

  /// - Parameter count: places of the list; nil where nobody knows.
  private func run(_ members: [Pending], _ edits: RunnableEdits, of count: Int?) async throws {
    let (ended, total) = state.withLock { state in
      state.planned = max(state.planned, edits.plan?.peak ?? 0)
      // Those that were not looked at yet are taken for the mean of the others.
      let unread = max(0, (count ?? 0) - state.outcomes.count)
      return (state.ended, state.known + unread * state.known / max(state.ready, 1))
    }
    await edits.run(
      journals: members.map(\.checkpoint), shelf: shelf, isStopped: batch.isStopped,
      progress: { [batch] done, _ in batch.work.progress(ended + done, total) }
    ) { [self] i, result in
      do { try await finish(members[i], result) } catch {
        state.withLock { $0.failure = $0.failure ?? error }
      }
    }
    state.withLock { $0.ended += members.reduce(0) { $0 + $1.edit.work } }
    if let failure = state.withLock({ $0.failure }) { throw failure }
  }

  private func finish(_ member: Pending, _ result: Result<EditResult, any Error>) async throws {
    let (job, digest, checkpoint) = (member.job, member.digest, member.checkpoint)
    var outcome = BatchOutcome(.job(job), .done)
    do {
      let edited = try result.get()
      try batch.work.write(job, edited)
      outcome.add(edited.report)
      state.withLock { state in
        // What was streamed for a group is told by each of its reports.
        state.streamedBytes += edited.report.streamedBytes / max(edited.report.editsTogether, 1)
      }
    } catch is CancellationError {
      await checkpoint.leave()
      return try settle(member.place, BatchOutcome(.job(job), .left))
    } catch {
      await checkpoint.leave()
      return try fail(member.place, job, digest, error)
    }
    // The picture is in its place. Where that cannot be recorded the batch ends, and the next one sees it there.
    try journal.finish(job, digest: digest, outcome)
    await checkpoint.remove()
    try settle(member.place, outcome)
  }

  // MARK: Sheets

  /// Those whose pictures are all done or failed, from the files.
  private func writeSheets() throws {
    for sheet in state.withLock({ $0.sheets.takeComplete() }) {
      let job = BatchJob(name: sheet.recordName, output: sheet.output, words: [], origin: sheet.origin)
      let exists = FileManager.default.fileExists(atPath: path(sheet.output))
      let record = journal.records[job.name]
      var outcome = BatchOutcome(.job(job), .done)
      outcome.job = sheet.name
      switch record?.state {
      case .done where exists && record?.digest == sheet.digest: outcome.wasDoneBefore = true
      case .began where exists && record?.digest == sheet.digest && record?.replaces == false:
        try journal.finish(job, digest: sheet.digest, outcome)
        outcome.wasDoneBefore = true
      case nil where exists && !batch.replaces, .failed where exists && !batch.replaces:
        (outcome.state, outcome.status) = (.failed, 73)
        outcome.error = Self.isThereAlready(path(sheet.output))
      default:
        try journal.begin(job, digest: sheet.digest, checkpoint: nil, replaces: exists)
        do {
          shelf.clear()
          let pictures = sheet.pictures.enumerated().map { (number: $0 + 1, path: $1.map(path)) }
          try batch.work.writeSheet(pictures, sheet.columns, path(sheet.output))
        } catch {
          let (sentence, status) = batch.work.explain(error)
          (outcome.state, outcome.status, outcome.error) = (.failed, status, sentence)
          try journal.fail(job.name, digest: sheet.digest, status: status, sentence)
        }
        if outcome.state == .done { try journal.finish(job, digest: sheet.digest, outcome) }
      }
      state.withLock { $0.sheetOutcomes.append(outcome) }
      try batch.work.tell(outcome)
    }
  }

  // MARK: Outcomes

  private func fail(_ place: Int, _ job: BatchJob, _ digest: String, _ error: any Error) throws {
    let (sentence, status) = batch.work.explain(error)
    try fail(place, job, digest, status: status, sentence)
  }

  private func fail(
    _ place: Int, _ job: BatchJob, _ digest: String, status: Int, _ sentence: String
  ) throws {
    try journal.fail(job.name, digest: digest, status: status, sentence)
    var outcome = BatchOutcome(.job(job), .failed)
    (outcome.status, outcome.error) = (status, sentence)
    try settle(place, outcome)
  }

  /// The journal is not told: what lies there is as little the job's the next time.
  private func refuse(_ place: Int, _ job: BatchJob, inTheWay file: String) throws {
    var outcome = BatchOutcome(.job(job), .failed)
    (outcome.status, outcome.error) = (73, Self.isThereAlready(path(file)))
    try settle(place, outcome)
  }

  private static func isThereAlready(_ path: String) -> String {
    "\(path) is there already: name another output, or let files be replaced with --force"
  }

  /// What is not begun any more.
  private func leave(_ entry: BatchEntry) throws {
    let place = state.withLock { state in
      state.outcomes.append(nil)
      return state.outcomes.count - 1
    }
    var outcome = BatchOutcome(entry, .left)
    if case .job(let job) = entry {
      let digest = job.digest(common: batch.common)
      let record = journal.records.known(job, digest: digest)
      if case .done(let known) = record?.state {
        outcome = known
        outcome.wasDoneBefore = true
      }
    }
    try settle(place, outcome)
  }

  /// Remembers an outcome, and tells all that are known up to the first that is not.
  private func settle(_ place: Int, _ outcome: BatchOutcome) throws {
    let due = state.withLock { state in
      state.outcomes[place] = outcome
      state.sheets.settle(place, outcome)
      let first = state.told
      while state.told < state.outcomes.count, state.outcomes[state.told] != nil { state.told += 1 }
      return state.outcomes[first..<state.told].compactMap { $0 }
    }
    for outcome in due { try batch.work.tell(outcome) }
  }
}
