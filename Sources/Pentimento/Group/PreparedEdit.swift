import Editing

/// An edit that is checked and waits for others to go with it.
public struct PreparedEdit: Sendable {
  enum Kind: Sendable {
    case draft(EditDraft)
    /// Goes with no other.
    case alone(EditJob)
  }
  let kind: Kind

  public var methodName: String {
    switch kind {
    case .draft(let draft): draft.prepared.name
    case .alone(let job): job.methodName
    }
  }
  /// Whether there is a mask at the end, given or found.
  public var hasMask: Bool {
    switch kind {
    case .draft(let draft): draft.pictures.hasMask
    case .alone(let job): job.hasMask
    }
  }
  /// Evaluations and gradients of a run.
  public var work: Int {
    switch kind {
    case .draft(let draft): draft.prepared.evaluations + draft.prepared.gradients
    case .alone(let job): job.evaluations + job.gradients
    }
  }
}

/// Edits that run now: several together, or one that goes with no other.
public struct RunnableEdits: Sendable {
  enum Kind: Sendable {
    case group(EditGroup)
    case alone(EditJob)
    /// They need more memory than there is.
    case refused(count: Int, any Error)
  }
  let kind: Kind

  /// What a run will hold in memory; nil where it is refused.
  public var plan: MemoryPlan? {
    switch kind {
    case .group(let group): group.plan
    case .alone(let job): job.plan
    case .refused: nil
    }
  }

  /// The plan with the time that it will take, where the machine's speed is known or can be measured.
  public var timedPlan: MemoryPlan? {
    let (plan, job): (MemoryPlan, EditJob)
    switch kind {
    case .group(let group): (plan, job) = (group.plan, group.jobs[0])
    case .alone(let alone): (plan, job) = (alone.plan, alone)
    case .refused: return nil
    }
    return (try? job.machineSpeed()).map(plan.timed) ?? plan
  }

  /// Runs them; see `EditGroup.run`.
  ///
  /// - Parameters:
  ///   - journals: one for each.
  ///   - shelf: keeps networks open for runs that follow, where there is room.
  package func run(
    journals: [FileJournal], shelf: NetworkShelf, isStopped: @escaping @Sendable () -> Bool,
    progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void, finished: EditGroup.Finished
  ) async {
    await NetworkShelf.$current.withValue(shelf) {
      await run(journals, isStopped, progress, finished)
    }
  }

  private func run(
    _ journals: [FileJournal], _ isStopped: @escaping @Sendable () -> Bool,
    _ progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void, _ finished: EditGroup.Finished
  ) async {
    switch kind {
    case .group(let group):
      await group.run(journals: journals, isStopped: isStopped, progress: progress, finished: finished)
    case .alone(let job):
      NetworkShelf.current?.clear()
      // A task of its own: to stop is to cancel it, once an evaluation is done.
      let result = await withTaskGroup(of: Result<EditResult, any Error>.self) { tasks in
        tasks.addTask {
          do {
            return .success(
              try await job.runByItself(journals.first) { done, total in
                progress(done, total)
                if isStopped() { withUnsafeCurrentTask { $0?.cancel() } }
              })
          } catch { return .failure(error) }
        }
        return await tasks.next()!
      }
      await finished(0, result)
    case .refused(let count, let error):
      for i in 0..<count { await finished(i, .failure(error)) }
    }
  }
}

extension Editor {
  /// Everything of an edit that can be known before its networks are planned.
  ///
  /// - Throws: as `prepare`, but for `overBudget` of those that may go with others.
  public func prepareForGroup(_ request: EditRequest) throws -> PreparedEdit {
    if request.learning != nil { return PreparedEdit(kind: .alone(try prepare(request))) }
    let draft = try draft(request)
    return PreparedEdit(kind: draft.whyAlone == nil ? .draft(draft) : .alone(try prepare(request)))
  }

  /// Those that run next: the first, and of the others that can go with it as many as cost least, in weights read for
  /// each, by the plan.
  ///
  /// - Returns: their places, in order, and what runs them.
  public func grouped(_ edits: [PreparedEdit]) -> (places: [Int], edits: RunnableEdits) {
    precondition(!edits.isEmpty, "no edit to run")
    guard case .draft(let first) = edits[0].kind else {
      guard case .alone(let job) = edits[0].kind else { preconditionFailure("an edit of no kind") }
      return ([0], RunnableEdits(kind: .alone(job)))
    }
    var (places, drafts) = ([Int](), [EditDraft]())
    for (place, edit) in edits.enumerated() {
      guard case .draft(let draft) = edit.kind, draft.togetherness == first.togetherness else { continue }
      places.append(place)
      drafts.append(draft)
    }
    var best: (count: Int, group: EditGroup, cost: Int)?
    var refusal: (any Error)?
    var count = min(drafts.count, Self.mostTogether)
    while count > 0 {
      do {
        let group = try group(Array(drafts.prefix(count)))
        let cost = group.plan.bytesRead / count
        if best == nil || cost < best!.cost { best = (count, group, cost) }
        // With all weights in memory, more edits only share them with more.
        if group.plan.bytesRead == group.plan.bytesReadOnce { break }
      } catch { refusal = error }
      count /= 2
    }
    guard let best else {
      return ([places[0]], RunnableEdits(kind: .refused(count: 1, refusal!)))
    }
    return (Array(places.prefix(best.count)), RunnableEdits(kind: .group(best.group)))
  }

  /// More share no more of a pass than a budget for small machines has lanes for, and wait for each other.
  private static let mostTogether = 16
}

extension MemoryPlan {
  /// What is left of `bytesRead` where nothing is streamed.
  fileprivate var bytesReadOnce: Int { stages.reduce(0) { $0 + ($1.work?.bytesOnce ?? 0) } }
}

extension EditJob {
  /// A run that leaves no network open.
  fileprivate func runByItself(
    _ journal: FileJournal?, _ progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void
  ) async throws -> EditResult {
    try await NetworkShelf.$current.withValue(nil) { try await run(journal: journal, progress: progress) }
  }
}
