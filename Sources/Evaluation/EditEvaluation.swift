import Editing
import FoundationEssentials
import ImageFiles
import Pentimento
import Tensors

/// Runs methods over pairs and keeps what they made:
///
///     OUTPUT/<contestant>/<pair>.png, <pair>.json    an edit and its record; <pair>@<seed> where there are several seeds
///     OUTPUT/<contestant>.png                        contact sheet: source, edit, truth
///     OUTPUT/results.md, results.json                the table
///     OUTPUT/results.svg                             success over evaluations
///
/// Pairs whose picture and record lie there already, made with a model of the same name, the same settings and seed, are not run again.
public struct EditEvaluation: Sendable {
  public var editor: Editor
  public var pairs: [EditPair]
  public var kinds: [String] = []
  /// Every method edits every pair once with each.
  public var seeds: [UInt64] = [42]
  /// Pixels of a picture on a contact sheet.
  public var sheetSide = 160
  public var output: String

  public init(editor: Editor, pairs: [EditPair], output: String) {
    self.editor = editor
    self.pairs = pairs
    self.output = output
  }

  /// - Parameter says: told one line an edit.
  /// - Returns: the rows of the table, as written.
  /// - Throws: `EvaluationError`, or what an edit or writing throws; what was done stays.
  public func run(_ contestants: [Contestant], says: (String) -> Void = { _ in }) async throws -> [ResultRow]
  {
    let work = try contestants.flatMap { contestant in
      try pairs.filter { try contestant.suits($0, kinds: kinds) }
        .flatMap { pair in seeds.map { (contestant, pair, $0) } }
    }
    guard !work.isEmpty else { throw EvaluationError.nothingToDo(kinds: kinds) }
    var records: [EditRecord] = []
    var rows: [[Picture]] = []
    for (index, (contestant, pair, seed)) in work.enumerated() {
      let (record, edited, isNew) = try await result(contestant, pair, seed)
      records.append(record)
      rows.append([pair.source, edited, pair.truth])
      says(
        "\(index + 1)/\(work.count) \(contestant.label) \(pair.name): \(isNew ? record.line : "done before")")
      if index + 1 == work.count || work[index + 1].0 != contestant {
        try PictureFile.write(
          ContactSheet.draw(rows, side: sheetSide), to: "\(output)/\(contestant.label).png")
        rows = []
        try write(ResultRow.rows(records))
      }
    }
    return ResultRow.rows(records)
  }

  /// The edit of one pair, from the disk if it is there.
  private func result(
    _ contestant: Contestant, _ pair: EditPair, _ seed: UInt64
  ) async throws -> (EditRecord, Picture, isNew: Bool) {
    let folder = "\(output)/\(contestant.label)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let name = seeds.count == 1 ? pair.name : "\(pair.name)@\(seed)"
    let (picture, notes) = ("\(folder)/\(name).png", URL(fileURLWithPath: "\(folder)/\(name).json"))
    let settings = editor.model.defaults.settings(for: contestant.method)
      .merging(contestant.settings) { _, own in own }

    // What is measured is measured anew: pictures and reports are what takes long.
    if let data = try? Data(contentsOf: notes),
      let record = try? JSONDecoder().decode(EditRecord.self, from: data),
      record.settings == settings, let report = record.report, report.seed == seed,
      report.model == editor.model.name,
      let edited = try? PictureFile.read(picture)
    {
      return (
        EditRecord(contestant.label, pair, edited: edited, settings: settings, report: report), edited, false
      )
    }
    let (edited, report) = try await edit(pair, contestant, seed)
    let record = EditRecord(contestant.label, pair, edited: edited, settings: settings, report: report)
    try PictureFile.write(edited, to: picture)
    try Self.encoder.encode(record).write(to: notes, options: .atomic)
    return (record, edited, true)
  }

  /// As the command does it: at the model's size, and with the original put back outside a mask that the
  /// method promises to obey.
  private func edit(_ pair: EditPair, _ contestant: Contestant, _ seed: UInt64)
    async throws -> (Picture, EditReport)
  {
    let result = try await editor.run(contestant.request(pair, seed: seed))
    return (try Picture(reading: result.picture), result.report)
  }

  /// The same table for pictures that something else made, `FOLDER/<pair>.png` or `<pair>@….png` each, a row a folder;
  /// a pair without a picture is left out.
  ///
  /// - Throws: `EvaluationError.nothingToDo` where no folder has a picture of any pair, or what reading throws.
  public static func score(_ folders: [String], _ pairs: [EditPair]) throws -> [ResultRow] {
    var records: [EditRecord] = []
    for folder in folders {
      let files = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
      for pair in pairs {
        for file in files where file == "\(pair.name).png" || file.hasPrefix("\(pair.name)@") {
          guard file.hasSuffix(".png") else { continue }
          let edited = try PictureFile.read("\(folder)/\(file)")
          guard Extent(edited) == Extent(pair.source) else { throw EvaluationError.pair(pair.name) }
          records.append(
            EditRecord(URL(fileURLWithPath: folder).lastPathComponent, pair, edited: edited))
        }
      }
    }
    guard !records.isEmpty else { throw EvaluationError.nothingToDo(kinds: []) }
    return ResultRow.rows(records)
  }

  private func write(_ rows: [ResultRow]) throws {
    try Data(ResultRow.markdown(rows).utf8).write(
      to: URL(fileURLWithPath: "\(output)/results.md"), options: .atomic)
    try Self.encoder.encode(rows).write(to: URL(fileURLWithPath: "\(output)/results.json"), options: .atomic)
    guard let plot = QualityPlot.svg(rows) else { return }
    try Data(plot.utf8).write(to: URL(fileURLWithPath: "\(output)/results.svg"), options: .atomic)
  }

  private static var encoder: JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return encoder
  }
}

extension EditRecord {
  /// One line of progress.
  fileprivate var line: String {
    "\(decibels(score.errorToTruth).tenths) dB to the truth, "
      + "\(score.errorOutside.map { decibels($0).tenths } ?? "–") dB outside, "
      + "\(score.succeeded ? "succeeded" : "missed")\(report.map { ", \(Int($0.seconds.rounded())) s" } ?? "")"
  }
}
