import FoundationEssentials
import Pentimento

/// What a batch would do, before anything is computed or written.
public struct BatchPlan: Sendable, Codable, Equatable {
  /// Jobs that go through the stages together.
  public struct Group: Sendable, Codable, Equatable {
    public var jobs: [String]
    /// Bytes; nil where it needs more than there is.
    public var peak: Int?
    /// Evaluations and gradients of the noise network.
    public var evaluations: Int
    /// Of weights, in all.
    public var bytesRead: Int
    /// The networks' time on this machine: an estimate; nil where the machine was not measured.
    public var seconds: Double?
  }

  public struct Failure: Sendable, Codable, Equatable {
    public var job: String
    public var origin: String
    public var error: String
  }

  /// In the order in which they run.
  public var groups: [Group] = []
  /// Jobs that an earlier run of the batch has done.
  public var done = 0
  /// Jobs that would fail before their networks run.
  public var failures: [Failure] = []

  /// The largest group's.
  public var peak: Int { groups.compactMap(\.peak).max() ?? 0 }
  public var jobs: Int { groups.reduce(0) { $0 + $1.jobs.count } }
  public var evaluations: Int { groups.reduce(0) { $0 + $1.evaluations } }
  public var bytesRead: Int { groups.reduce(0) { $0 + $1.bytesRead } }
  public var seconds: Double? {
    let known = groups.compactMap(\.seconds)
    return known.count == groups.count ? known.reduce(0, +) : nil
  }

  /// One row for every group, then sums, and what would fail.
  public var table: String {
    func mb(_ bytes: Int?) -> String {
      bytes.map { "\(Double($0 / 100_000) / 10)" } ?? "too much"
    }
    func seconds(_ seconds: Double?) -> String { seconds.map { "\(Double(Int($0 * 10)) / 10)" } ?? "unknown" }
    func row(_ name: String, _ cells: [String]) -> String {
      name + String(repeating: " ", count: max(1, 30 - name.count))
        + cells.map { String(repeating: " ", count: max(1, 12 - $0.count)) + $0 }.joined()
    }
    var lines = [row("together", ["jobs", "evaluations", "MB read", "seconds", "peak MB"])]
    for group in groups {
      let name = group.jobs.count > 1 ? "\(group.jobs[0]) …" : group.jobs[0]
      lines.append(
        row(
          String(name.prefix(28)),
          [
            "\(group.jobs.count)", "\(group.evaluations)", mb(group.bytesRead), seconds(group.seconds),
            mb(group.peak),
          ]
        ))
    }
    lines.append(
      row("all", ["\(jobs)", "\(evaluations)", mb(bytesRead), seconds(self.seconds), mb(peak)]))
    if done > 0 { lines.append("\(done) \(done == 1 ? "job is" : "jobs are") done already") }
    for failure in failures { lines.append("\(failure.job) (\(failure.origin)): \(failure.error)") }
    return lines.joined(separator: "\n")
  }
}

extension Batch {
  /// What `run` would do with the jobs now. Nothing is computed, but for two seconds where the machine's speed is not
  /// known, and nothing written.
  ///
  /// - Throws: `BatchError.notAJournal`, `FileError`.
  public func plan(_ source: some JobSource) throws -> BatchPlan {
    let records = try BatchRecords(at: journalPath)
    var (source, pending, plan) = (source, [(job: BatchJob, edit: PreparedEdit)](), BatchPlan())
    while true {
      let room = Batch.window - pending.count
      let entries = room > 0 ? try source.next(atMost: room, waits: true) : []
      for entry in entries ?? [] {
        if let edit = consider(entry, records, &plan) { pending.append(edit) }
      }
      if pending.isEmpty, entries == nil { return plan }
      guard !pending.isEmpty else { continue }
      let group = editor.grouped(pending.map(\.edit))
      let memory = group.edits.timedPlan
      plan.groups.append(
        BatchPlan.Group(
          jobs: group.places.map { pending[$0].job.name }, peak: memory?.peak,
          evaluations: group.places.reduce(0) { $0 + pending[$1].edit.work },
          bytesRead: memory?.bytesRead ?? 0, seconds: memory?.seconds))
      for place in group.places.sorted(by: >) { pending.remove(at: place) }
    }
  }

  /// What would run; nil where it is known what becomes of it.
  private func consider(
    _ entry: BatchEntry, _ records: BatchRecords, _ plan: inout BatchPlan
  ) -> (job: BatchJob, edit: PreparedEdit)? {
    func fail(_ origin: String, _ error: String) {
      plan.failures.append(BatchPlan.Failure(job: entry.name, origin: origin, error: error))
    }
    switch entry {
    case .broken(_, let origin, let reason):
      fail(origin, reason)
      return nil
    case .job(let job):
      let digest = job.digest(common: common)
      let record = records.known(job, digest: digest)
      let there = job.files.filter { FileManager.default.fileExists(atPath: "\(folder)/\($0)") }
      switch record?.state {
      case .done where there.count == job.files.count:
        plan.done += 1
        return nil
      case .failed(let status, let error) where status == 1:
        fail(job.origin, error)
        return nil
      case nil where !there.isEmpty && !replaces, .failed where !there.isEmpty && !replaces:
        fail(job.origin, "\(folder)/\(there[0]) is there already: name another output, or use --force")
        return nil
      default: break
      }
      do {
        let edit = try editor.prepareForGroup(work.request(job))
        try work.check(job, edit)
        return (job, edit)
      } catch {
        fail(job.origin, work.explain(error).sentence)
        return nil
      }
    }
  }
}
