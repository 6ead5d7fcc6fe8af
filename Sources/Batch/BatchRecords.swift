import Files
import FoundationEssentials

/// What the journals of a folder say of jobs.
struct BatchRecords: Sendable {
  /// What the latest events of a job say.
  struct Record: Sendable, Equatable {
    var digest: String
    var state: State
    /// Whether something stood at the place of the output before.
    var replaces = false
    enum State: Sendable, Equatable {
      case began
      case done(BatchOutcome)
      case failed(status: Int, error: String)
    }
  }

  /// One line of a journal.
  struct Event: Codable {
    var event: String
    var job: String?
    var digest: String?
    var output: String?
    var checkpoint: String?
    var replaces: Bool?
    var status: Int?
    var error: String?
    var outcome: BatchOutcome?
    var jobs: Int?
    /// Seconds since 1970.
    var time: Int? = Int(Date().timeIntervalSince1970)
  }

  /// Of one journal, by the names of jobs.
  private var own: [String: Record] = [:]
  /// Of the folder's other journals, by name and digest.
  private var others: [String: Record] = [:]

  /// - Parameters:
  ///   - lines: of the journal.
  ///   - path: of the journal; others are looked for beside it.
  /// - Throws: `BatchError.notAJournal`.
  init(_ lines: some Sequence<some Sequence<UInt8>>, of path: String) throws {
    for line in lines {
      guard let event = try? JSONDecoder().decode(Event.self, from: Data(line)) else {
        throw BatchError.notAJournal(path)
      }
      take(event)
    }
    others = Self.others(than: path)
  }

  /// Without opening the journal for more; nothing of its own where there is none.
  ///
  /// - Throws: `BatchError.notAJournal`; `FileError`.
  init(at path: String) throws {
    let exists = FileManager.default.fileExists(atPath: path)
    let bytes = exists ? try FileReader.contents(of: path, limit: 1 << 30) : []
    try self.init(LineFile.wholeLines(of: bytes), of: path)
  }

  /// What this journal says last of a name, whatever its words were.
  subscript(name: String) -> Record? { own[name] }

  /// What this journal says of a job with these words.
  func own(_ job: BatchJob, digest: String) -> Record? {
    own[job.name].flatMap { $0.digest == digest ? $0 : nil }
  }

  /// What it says, or else what journals of other runs in the folder do, where the batch was cut otherwise for example.
  func known(_ job: BatchJob, digest: String) -> Record? {
    own(job, digest: digest) ?? others[Self.key(job.name, digest)]
  }

  mutating func take(_ event: Event) {
    guard let job = event.job, let digest = event.digest else { return }
    switch event.event {
    case "began":
      own[job] = Record(digest: digest, state: .began, replaces: event.replaces ?? false)
    case "done": own[job] = event.outcome.map { Record(digest: digest, state: .done($0)) }
    case "failed":
      // Other words for a name that is done already were refused before anything was changed.
      if let known = own[job], case .done = known.state, known.digest != digest { return }
      own[job] = Record(
        digest: digest, state: .failed(status: event.status ?? 1, error: event.error ?? ""))
    default: break
    }
  }

  private static func key(_ name: String, _ digest: String) -> String { "\(name)\n\(digest)" }

  /// Those of done jobs before others. Their processes may be alive: what cannot be read counts for nothing.
  private static func others(than path: String) -> [String: Record] {
    let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    var known: [String: Record] = [:]
    for file in files.sorted() where file.hasPrefix("batch.") && file.hasSuffix(".journal") {
      let other = "\(folder)/\(file)"
      guard other != path, let bytes = try? FileReader.contents(of: other, limit: 256 << 20) else { continue }
      var records = BatchRecords()
      for line in LineFile.wholeLines(of: bytes) {
        if let event = try? JSONDecoder().decode(Event.self, from: Data(line)) { records.take(event) }
      }
      for (job, record) in records.own where !record.replaces {
        let key = key(job, record.digest)
        if case .done = known[key]?.state { continue }
        known[key] = record
      }
    }
    return known
  }

  private init() {}
}
