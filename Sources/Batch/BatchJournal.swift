import Files
import FoundationEssentials

/// What happened in a batch, one line an event, each on disk before anything follows from it. Nothing in it is ever
/// changed; a line that a break cut short counts for nothing and is cut off.
///
///     {"event":"began","job":"0001-ball","digest":"…","output":"0001-ball.png","checkpoint":"0001-ball.checkpoint"}
///     {"event":"done","job":"0001-ball","digest":"…","output":"0001-ball.png", …}
///     {"event":"failed","job":"0002","digest":"…","status":65,"error":"…"}
///
/// One process holds it at a time.
final class BatchJournal {
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

  private let file: LineFile
  private var records: [String: Record] = [:]
  /// Of the other journals of the folder, as they were when this one was opened.
  private var others: [String: Record] = [:]

  /// - Throws: `BatchError.inUse`, `BatchError.notAJournal`; `FileError`.
  init(path: String) throws {
    guard let (file, lines) = try LineFile.open(path) else { throw BatchError.inUse(journal: path) }
    self.file = file
    for line in lines {
      guard let event = try? JSONDecoder().decode(Event.self, from: Data(line)) else {
        throw BatchError.notAJournal(path)
      }
      Self.take(event, into: &records)
    }
    others = Self.others(than: path)
  }

  /// What this journal says of a job with these words.
  func record(_ job: BatchJob, digest: String) -> Record? {
    records[job.name].flatMap { $0.digest == digest ? $0 : nil }
  }

  /// What journals of other runs in the folder say of it, where the batch was cut otherwise for example.
  func otherRecord(_ job: BatchJob, digest: String) -> Record? {
    others["\(job.name)\n\(digest)"]
  }

  /// Records of other journals by name and digest, those of done jobs before others. Their processes may be alive: what
  /// cannot be read counts for nothing.
  private static func others(than path: String) -> [String: Record] {
    let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    var known: [String: Record] = [:]
    for file in files.sorted() where file.hasPrefix("batch.") && file.hasSuffix(".journal") {
      let other = "\(folder)/\(file)"
      guard other != path, let bytes = try? FileReader.contents(of: other, limit: 256 << 20) else { continue }
      var records: [String: Record] = [:]
      for line in LineFile.wholeLines(of: bytes) {
        guard let event = try? JSONDecoder().decode(Event.self, from: Data(line)) else { continue }
        take(event, into: &records)
      }
      for (job, record) in records where !record.replaces {
        let key = "\(job)\n\(record.digest)"
        if case .done = known[key]?.state { continue }
        known[key] = record
      }
    }
    return known
  }

  private static func take(_ event: Event, into records: inout [String: Record]) {
    guard let job = event.job, let digest = event.digest else { return }
    switch event.event {
    case "began":
      records[job] = Record(digest: digest, state: .began, replaces: event.replaces ?? false)
    case "done": records[job] = event.outcome.map { Record(digest: digest, state: .done($0)) }
    case "failed":
      records[job] = Record(
        digest: digest, state: .failed(status: event.status ?? 1, error: event.error ?? ""))
    default: break
    }
  }

  // MARK: Events

  func begin(_ job: BatchJob, digest: String, checkpoint: String, replaces: Bool) throws(FileError) {
    try add(
      Event(
        event: "began", job: job.name, digest: digest, output: job.output, checkpoint: checkpoint,
        replaces: replaces ? true : nil))
  }

  func finish(_ job: BatchJob, digest: String, _ outcome: BatchOutcome) throws(FileError) {
    try add(
      Event(event: "done", job: job.name, digest: digest, output: job.output, outcome: outcome))
  }

  func fail(_ name: String, digest: String, status: Int, _ error: String) throws(FileError) {
    try add(Event(event: "failed", job: name, digest: digest, status: status, error: error))
  }

  /// Beginning and end of a run, for whoever reads the file.
  func note(_ event: String, jobs: Int? = nil) throws(FileError) { try add(Event(event: event, jobs: jobs)) }

  private struct Event: Codable {
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

  /// - Throws: `FileError`; the file is as it was.
  private func add(_ event: Event) throws(FileError) {
    try file.append(jsonLine(event))
    Self.take(event, into: &records)
  }
}

/// One line of JSON; what it says has no line feeds but escaped ones.
package func jsonLine(_ value: some Encodable) -> [UInt8] {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  encoder.nonConformingFloatEncodingStrategy = .convertToString(
    positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
  guard let line = try? encoder.encode(value) else { preconditionFailure("\(value) is not to be encoded") }
  return Array(line)
}
