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
  private let file: LineFile
  private(set) var records: BatchRecords

  /// - Throws: `BatchError.inUse`, `BatchError.notAJournal`; `FileError`.
  init(path: String) throws {
    guard let (file, lines) = try LineFile.open(path) else { throw BatchError.inUse(journal: path) }
    self.file = file
    records = try BatchRecords(lines, of: path)
  }

  private typealias Event = BatchRecords.Event

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

  /// - Throws: `FileError`; the file is as it was.
  private func add(_ event: Event) throws(FileError) {
    try file.append(jsonLine(event))
    records.take(event)
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
