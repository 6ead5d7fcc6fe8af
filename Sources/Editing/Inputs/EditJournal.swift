import Tensors

/// Where a long run keeps how far it has come, so that it can go on there after a break.
///
/// Noise comes from the tape by index, so a run that is resumed draws what the unbroken one would have drawn and ends
/// with the same bits. A method keeps its state under a key of its own after every step, and appends what does not change
/// any more; what becomes of it (nothing, a file now and then) is the journal's affair.
public protocol EditJournal: Sendable {
  /// What was appended under `key`, in order, and what was kept last; nothing at the beginning of a run. A break may
  /// have lost the latest of either, never an earlier one, and never something appended before what is there of the kept.
  func progress(of key: String) async throws -> (appended: [JournalEntry], kept: JournalEntry?)
  /// How many entries were appended under `key`, and one of them: for whoever does not want all in memory.
  func count(of key: String) async throws -> Int
  func entry(_ index: Int, of key: String) async throws -> JournalEntry
  /// Adds to the list of the key.
  func append(_ entry: JournalEntry, to key: String) async throws
  /// Replaces what was kept before.
  func keep(_ entry: JournalEntry, of key: String) async throws
}

extension EditJournal {
  public func count(of key: String) async throws -> Int { try await progress(of: key).appended.count }
  public func entry(_ index: Int, of key: String) async throws -> JournalEntry {
    try await progress(of: key).appended[index]
  }
}

/// One piece of a method's progress: numbers and tensors by name, kept bit for bit.
public struct JournalEntry: Sendable, Equatable {
  public var numbers: [String: Double]
  public var tensors: [String: HostTensor]

  public init(numbers: [String: Double] = [:], tensors: [String: HostTensor] = [:]) {
    (self.numbers, self.tensors) = (numbers, tensors)
  }
}

/// Keeps nothing.
public struct NoJournal: EditJournal {
  public init() {}
  public func progress(of key: String) async throws -> (appended: [JournalEntry], kept: JournalEntry?) {
    ([], nil)
  }
  public func append(_ entry: JournalEntry, to key: String) async throws {}
  public func keep(_ entry: JournalEntry, of key: String) async throws {}
}
