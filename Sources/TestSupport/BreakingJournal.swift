import Editing

/// Keeps what is saved as a file would, and breaks the run at one of its saves.
public actor BreakingJournal: EditJournal {
  public struct Break: Error {}

  /// What a break takes with it.
  public enum Loss: Sendable, CaseIterable {
    case nothing
    /// The save itself.
    case save
    /// What was kept last; what was appended after it is there.
    case kept
  }

  private enum Save {
    case appended(JournalEntry, String)
    case kept(JournalEntry, String)
  }

  private var saves: [Save] = []
  private var breaksAt: Int
  private let loss: Loss

  /// - Parameter save: counted from 1.
  public init(at save: Int = .max, losing loss: Loss = .nothing) { (breaksAt, self.loss) = (save, loss) }

  /// Saves so far.
  public var count: Int { saves.count }

  /// Numbers in the tensors that a run would go on with: all that was appended, and what was kept last of every key.
  public var values: Int {
    var (appended, kept) = (0, [String: Int]())
    for save in saves {
      switch save {
      case .appended(let entry, _): appended += entry.values
      case .kept(let entry, let key): kept[key] = entry.values
      }
    }
    return appended + kept.values.reduce(0, +)
  }

  public func progress(of key: String) -> (appended: [JournalEntry], kept: JournalEntry?) {
    var (appended, kept) = ([JournalEntry](), JournalEntry?.none)
    for save in saves {
      switch save {
      case .appended(let entry, key): appended.append(entry)
      case .kept(let entry, key): kept = entry
      default: break
      }
    }
    return (appended, kept)
  }

  public func append(_ entry: JournalEntry, to key: String) throws { try add(.appended(entry, key)) }
  public func keep(_ entry: JournalEntry, of key: String) throws { try add(.kept(entry, key)) }

  private func add(_ save: Save) throws {
    saves.append(save)
    guard saves.count == breaksAt else { return }
    breaksAt = .max
    switch loss {
    case .nothing: break
    case .save: saves.removeLast()
    case .kept:
      let last = saves.lastIndex {
        if case .kept = $0 { true } else { false }
      }
      if let last { saves.remove(at: last) }
    }
    throw Break()
  }
}

extension JournalEntry {
  fileprivate var values: Int { tensors.values.reduce(0) { $0 + $1.values.count } }
}

extension BreakingJournal {
  /// Breaks a run at every one of its saves in turn, in every way, and lets it go on.
  ///
  /// - Parameter check: told what the run that went on returned.
  public static func atEverySave<Result>(
    of run: (any EditJournal) async throws -> Result, check: (Result) -> Void
  ) async throws -> Int {
    let unbroken = BreakingJournal()
    check(try await run(unbroken))
    let count = await unbroken.count
    for save in stride(from: 1, through: count, by: 1) {
      for loss in Loss.allCases {
        let journal = BreakingJournal(at: save, losing: loss)
        do {
          _ = try await run(journal)
          preconditionFailure("not broken at save \(save) of \(count)")
        } catch is Break {}
        check(try await run(journal))
      }
    }
    return count
  }
}
