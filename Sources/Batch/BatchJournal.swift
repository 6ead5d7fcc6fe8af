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
  private(set) var records: [String: Record] = [:]

  /// - Throws: `BatchError.inUse`, `BatchError.notAJournal`; `FileError`.
  init(path: String) throws {
    guard let (file, lines) = try LineFile.open(path) else { throw BatchError.inUse(journal: path) }
    self.file = file
    records = try Self.records(of: lines, path)
  }

  /// What a journal says that nobody is to write to; nothing where there is none.
  ///
  /// - Throws: `BatchError.notAJournal`; `FileError`.
  static func records(at path: String) throws -> [String: Record] {
    guard FileManager.default.fileExists(atPath: path) else { return [:] }
    let text = try FileReader.contents(of: path, limit: 1 << 30)
    return try records(of: text.split(separator: 10, omittingEmptySubsequences: false).dropLast(), path)
  }

  private static func records(of lines: some Sequence<some Sequence<UInt8>>, _ path: String) throws
    -> [String:
    Record]
  {
    var records: [String: Record] = [:]
    for line in lines {
      guard let event = try? JSONDecoder().decode(Event.self, from: Data(line)) else {
        throw BatchError.notAJournal(path)
      }
      take(event, &records)
    }
    return records
  }

  private static func take(_ event: Event, _ records: inout [String: Record]) {
    guard let job = event.job, let digest = event.digest else { return }
    switch event.event {
    case "began":
      records[job] = Record(digest: digest, state: .began, replaces: event.replaces ?? false)
    case "done": records[job] = event.outcome.map { Record(digest: digest, state: .done($0)) }
    case "failed":
      // Other words for a name that is done already were refused before anything was changed.
      if let known = records[job], case .done = known.state, known.digest != digest { return }
      records[job] = Record(
        digest: digest, state: .failed(status: event.status ?? 1, error: event.error ?? ""))
    default: break
    }
  }

  // MARK: Events

  func begin(_ job: BatchJob, digest: String, checkpoint: String?, replaces: Bool) throws(FileError) {
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
    Self.take(event, &records)
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
