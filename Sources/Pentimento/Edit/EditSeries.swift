import Editing
import JSON
import Tensors

/// One edit with several values of one setting that its inversion does not depend on: the picture is inverted once.
public struct EditSeries: Sendable {
  /// "interpolation"
  public let setting: String
  public let values: [Double]
  /// The edit with the first value, which keeps its inversion unless it was given one.
  public let first: EditJob
  /// What a run will hold in memory.
  public let plan: MemoryPlan

  /// Network evaluations of a run.
  public var evaluations: Int { first.evaluations + (values.count - 1) * evaluationsOfOthers }
  /// Gradients of the network in a run.
  public var gradients: Int { first.gradients }
  let evaluationsOfOthers: Int

  /// Runs the edits, in the order of the values.
  ///
  /// - Parameters: as `EditJob.run` has them.
  /// - Throws: as `EditJob.run`.
  public func run(
    journal: FileJournal? = nil,
    progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) async throws -> [EditResult] {
    do {
      var results = try await run(in: journal, progress)
      for i in results.indices { results[i].record = try record(i) }
      return results
    } catch {
      await journal?.leave()
      throw error
    }
  }

  /// What it takes to make one of the pictures again, or, with nil, a sheet of all.
  public func record(_ index: Int?) throws -> EditRecord {
    var record = try first.record()
    let values = index.map { [self.values[$0]] } ?? self.values
    let text = values.map { "\($0)" }.joined(separator: ",")
    var options = JSONObject()
    for key in record.options.keys {
      options.set(key, key == setting ? .string(text) : record.options[key])
    }
    record.options = options
    return record
  }

  private func run(
    in journal: FileJournal?, _ progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void
  ) async throws -> [EditResult] {
    let total = evaluations + gradients
    func part(_ i: Int) -> EditJob.Part {
      EditJob.Part(
        journal: journal.map { PartOfJournal(base: $0, prefix: "\(i).") },
        tie: { [self] read in
          guard i == 0, let journal else { return }
          var identity = try first.identity(read)
          identity.tie("list of \(setting)", values.map { "\($0)" }.joined(separator: ","))
          try await journal.tie(to: identity)
        })
    }
    var results = [try await first.run(part(0)) { done, _ in progress(done, total) }]
    var request = first.request
    if request.inversion == nil { request.inversion = results[0].inversion }
    request.keepsInversion = false
    let before = first.evaluations + first.gradients
    for (i, value) in values.enumerated().dropFirst() {
      try Task.checkCancellation()
      request.method?.settings[setting] = .number(value)
      let done = before + (i - 1) * evaluationsOfOthers
      results.append(
        try await first.editor.prepare(request).run(part(i)) { more, _ in progress(done + more, total) })
    }
    return results
  }
}

extension Editor {
  /// Everything that can be known of a series of edits before it is computed.
  ///
  /// - Parameters:
  ///   - request: with a method named.
  ///   - setting: of the method, with a number; what its inversion does not depend on.
  ///   - values: at least two.
  /// - Throws: what `prepare` throws for a value; `InversionError.notUsed` for a method without an inversion.
  public func prepare(_ request: EditRequest, _ setting: String, values: [Double]) throws -> EditSeries {
    precondition(values.count > 1, "\(values.count) values")
    if let method = request.method, !method.type.options.contains(setting) {
      throw SettingError.notUsed(
        setting: setting, method: method.name, takes: method.type.options.sorted())
    }
    func job(_ value: Double) throws -> EditJob {
      var request = request
      request.method?.settings[setting] = .number(value)
      request.keepsInversion = request.inversion == nil
      return try prepare(request)
    }
    let jobs = try values.map(job)
    let first = jobs[0]
    // Results wait for each other at their working size, and pass into the sheet together.
    let working = 3 * first.workingSize.width * first.workingSize.height
    var plan = first.plan
    plan.held += (values.count - 1) * working
    if let writing = plan.stages.indices.last {
      plan.stages[writing].stored += (values.count - 1) * first.pictures.writing
    }
    var refused = Refused(limit: memoryLimit)
    for stage in plan.stages { refused.check(stage.name, plan.baseline + plan.held + stage.total) }
    if let worst = refused.worst { throw worst }
    var outline = first.prepared.outline
    outline.inversion = .given
    return EditSeries(
      setting: setting, values: values, first: first, plan: plan,
      evaluationsOfOthers: first.method.evaluations(outline))
  }
}

/// The journal of a whole, of which a part keeps its progress under keys of its own.
private struct PartOfJournal: EditJournal {
  var base: FileJournal
  var prefix: String

  func progress(of key: String) async throws -> (appended: [JournalEntry], kept: JournalEntry?) {
    try await base.progress(of: prefix + key)
  }
  func count(of key: String) async throws -> Int { try await base.count(of: prefix + key) }
  func entry(_ index: Int, of key: String) async throws -> JournalEntry {
    try await base.entry(index, of: prefix + key)
  }
  func append(_ entry: JournalEntry, to key: String) async throws {
    try await base.append(entry, to: prefix + key)
  }
  func keep(_ entry: JournalEntry, of key: String) async throws {
    try await base.keep(entry, of: prefix + key)
  }
}
