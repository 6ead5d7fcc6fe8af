/// Where a long run keeps how far it has come, so that it can go on there after a break.
///
/// Noise comes from the tape by index, so a run that is resumed draws what the unbroken one would have drawn and ends
/// with the same bits. A method keeps one value under a key of its own, after every step; what becomes of it (nothing,
/// a file now and then) is the journal's affair.
public protocol EditJournal: Sendable {
  /// What was kept last under `key`; nil at the beginning of a run.
  func progress<Progress: Codable & Sendable>(_ type: Progress.Type, of key: String) async throws -> Progress?
  func keep<Progress: Codable & Sendable>(_ progress: Progress, of key: String) async throws
}

/// Keeps nothing.
public struct NoJournal: EditJournal {
  public init() {}
  public func progress<Progress: Codable & Sendable>(
    _ type: Progress.Type, of key: String
  ) async throws -> Progress? { nil }
  public func keep<Progress: Codable & Sendable>(_ progress: Progress, of key: String) async throws {}
}
