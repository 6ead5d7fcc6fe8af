import Editing
import Files
import Tensors

/// A run's progress in a file, so that the run goes on after a break at any moment and ends with the bytes of an unbroken
/// one.
///
/// The first record says what run the file belongs to (`RunIdentity`); each of the others is an entry that was appended or
/// kept. What a method hands over is brought to disk in one batch about once a second and when the run ends, whatever ends
/// it short of SIGKILL, so that the file always has the state at one moment of the run. Entries that a later one replaced
/// are dropped when they outweigh the rest.
public actor FileJournal: EditJournal {
  /// As the caller calls it.
  public nonisolated let path: String
  private let file: RecordFile
  /// What the file says that it belongs to; nil in a new one.
  private var identity: RunIdentity?
  private var index = Index()
  /// Not in the file yet. Of entries that are kept, only the last of each key.
  private var pending: [JournalRecord] = []
  private var lastWrite = ContinuousClock.now
  /// From the end of one write to the next: a second, or ten times what the last one took.
  private var interval: Duration
  private let shortest: Duration

  /// Where the entries lie that still count.
  private struct Index {
    var header: RecordFile.Record?
    var appended: [String: [RecordFile.Record]] = [:]
    var kept: [String: RecordFile.Record] = [:]

    /// In an order in which they may be written again.
    var live: [RecordFile.Record] {
      ([header].compactMap { $0 } + Array(appended.values.joined()) + Array(kept.values))
        .sorted { $0.range.lowerBound < $1.range.lowerBound }
    }
  }

  /// Opens the file, or makes it, and keeps every other process from using it.
  ///
  /// - Parameter interval: at least so long passes between two writes.
  /// - Throws: `JournalError`; `FileError` where it cannot be written.
  public init(path: String, interval: Duration = .seconds(1)) throws {
    self.path = path
    (shortest, self.interval) = (interval, interval)
    do {
      let file = try RecordFile(path: path)
      self.file = file
      var (identity, index): (RunIdentity?, Index) = (nil, Index())
      for record in file.records {
        switch try JournalRecord.what(record, of: file) {
        case .header(let run): (identity, index.header) = (run, record)
        case .appended(let key): index.appended[key, default: []].append(record)
        case .kept(let key): index.kept[key] = record
        }
      }
      guard file.records.isEmpty || identity != nil else { throw RecordFileError.damaged(at: 0) }
      (self.identity, self.index) = (identity, index)
    } catch let error as RecordFileError {
      throw JournalError(error, file: path)
    } catch let error as JournalVersion {
      throw JournalError.version(
        file: path, found: error.found, supported: Int(JournalRecord.version))
    }
  }

  /// Whether there is progress of an earlier run in it.
  public var hasProgress: Bool { !index.appended.isEmpty || !index.kept.isEmpty }

  // MARK: The run

  /// Ties the file to a run: a new one is its from here on, another's is refused.
  ///
  /// - Throws: `JournalError.differs` naming the first thing in which the runs differ; `FileError`.
  package func tie(to run: RunIdentity) throws {
    if let identity {
      guard let difference = identity.difference(from: run) else { return }
      throw JournalError.differs(file: path, difference)
    }
    identity = run
    index.header = try file.append([JournalRecord.header(run).encoded])[0]
  }

  /// Brings to disk what is not there yet.
  ///
  /// - Throws: `FileError`; what the file had before stays.
  public func flush() throws {
    guard !pending.isEmpty else { return }
    let start = ContinuousClock.now
    let written = try file.append(pending.map(\.encoded))
    for (record, entry) in zip(written, pending) {
      switch entry {
      case .header: break
      case .appended(let key, _): index.appended[key, default: []].append(record)
      case .kept(let key, _): index.kept[key] = record
      }
    }
    pending = []
    try compact()
    lastWrite = .now
    interval = max(shortest, (lastWrite - start) * 10)
  }

  /// To be called where a run ends early: what it has done comes to disk, and a file without anything goes.
  package func leave() {
    // The run has an error of its own to tell.
    try? flush()
    if !hasProgress { remove() }
  }

  /// Takes the file away: the run's results are in their places.
  public func remove() {
    pending = []
    file.remove()
  }

  private func compact() throws {
    let live = index.live
    let alive = live.reduce(0) { $0 + $1.size }
    guard file.end - alive > max(alive, Self.spareBytes) else { return }
    let moved = Dictionary(uniqueKeysWithValues: zip(live.map(\.range.lowerBound), try file.keep(only: live)))
    func now(_ record: RecordFile.Record) -> RecordFile.Record { moved[record.range.lowerBound]! }
    index.header = index.header.map(now)
    index.appended = index.appended.mapValues { $0.map(now) }
    index.kept = index.kept.mapValues(now)
  }

  /// Below this it is not worth writing a file again.
  private static let spareBytes = 64 << 10

  // MARK: What methods say

  public func progress(of key: String) throws -> (appended: [JournalEntry], kept: JournalEntry?) {
    try flush()
    return (
      try (index.appended[key] ?? []).map { try JournalRecord.entry($0, of: file) },
      try index.kept[key].map { try JournalRecord.entry($0, of: file) }
    )
  }

  public func count(of key: String) throws -> Int {
    try flush()
    return index.appended[key]?.count ?? 0
  }

  public func entry(_ place: Int, of key: String) throws -> JournalEntry {
    try JournalRecord.entry(index.appended[key]![place], of: file)
  }

  public func append(_ entry: JournalEntry, to key: String) throws {
    pending.append(.appended(key, entry))
    try flushIfDue()
  }

  public func keep(_ entry: JournalEntry, of key: String) throws {
    // The later one stands for it, and behind everything that was appended between them.
    pending.removeAll { $0.isKept(key) }
    pending.append(.kept(key, entry))
    try flushIfDue()
  }

  private func flushIfDue() throws {
    if ContinuousClock.now - lastWrite >= interval { try flush() }
  }
}
