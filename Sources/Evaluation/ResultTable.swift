/// Means over the pairs of a kind, or over all pairs, of one contestant.
public struct ResultRow: Sendable, Codable, Equatable {
  public var contestant: String
  /// "all" over every kind.
  public var kind: String
  public var pairs: Int
  /// Mean dB from the sources to their truths: what doing nothing comes to.
  public var untouched: Double
  /// Mean dB to the truth, over the whole picture.
  public var truth: Double
  /// Mean dB to the source, over the whole picture: of a reconstruction.
  public var source: Double
  /// Mean dB to the source outside the mask, where there is an outside; 99 where nothing changed at all.
  public var outside: Double?
  /// Part of the edits that `EditScore.succeeded`.
  public var succeeded: Double
  /// Part of the edits in which each of `Renderings.attributes` is the truth's, and the mean overlap of the object's
  /// outline with the truth's; nil where a pair has no renderings.
  public var attributes: [Double]?
  public var overlap: Double?
  /// Network evaluations and seconds of an edit, means; nil for pictures made elsewhere.
  public var evaluations: Double?
  public var seconds: Double?

  init(_ records: [EditRecord], contestant: String, kind: String) {
    func mean(_ value: (EditRecord) -> Double) -> Double {
      records.reduce(0) { $0 + value($1) } / Double(records.count)
    }
    /// nil where one of them has none.
    func meanOfAll(_ value: (EditRecord) -> Double?) -> Double? {
      records.allSatisfy { value($0) != nil } ? mean { value($0) ?? 0 } : nil
    }
    self.contestant = contestant
    self.kind = kind
    pairs = records.count
    untouched = mean { decibels($0.score.errorUntouched) }
    truth = mean { decibels($0.score.errorToTruth) }
    source = mean { decibels($0.score.errorToSource) }
    let outsides = records.compactMap { $0.score.errorOutside.map(decibels) }
    outside = outsides.isEmpty ? nil : outsides.reduce(0, +) / Double(outsides.count)
    succeeded = mean { $0.score.succeeded ? 1 : 0 }
    attributes =
      records.allSatisfy { $0.score.attributesRight != nil }
      ? Renderings.attributes.map { name in
        mean { $0.score.attributesRight?.contains(name) == true ? 1 : 0 }
      } : nil
    overlap = meanOfAll(\.score.overlap)
    evaluations = meanOfAll { $0.report.map { Double($0.evaluations) } }
    seconds = meanOfAll(\.report?.seconds)
  }

  /// For every contestant one row over all pairs, then one a kind, both in the order in which they came.
  public static func rows(_ records: [EditRecord]) -> [ResultRow] {
    func inOrder(_ names: [String]) -> [String] {
      names.enumerated().filter { names.firstIndex(of: $0.element) == $0.offset }.map(\.element)
    }
    return inOrder(records.map(\.contestant)).flatMap { contestant in
      let own = records.filter { $0.contestant == contestant }
      let kinds = inOrder(own.map(\.kind))
      return [ResultRow(own, contestant: contestant, kind: "all")]
        + kinds.map { kind in
          ResultRow(own.filter { $0.kind == kind }, contestant: contestant, kind: kind)
        }
    }
  }

  /// A Markdown table, with 99 dB as what it stands for; columns that no row fills are left out.
  public static func markdown(_ rows: [ResultRow]) -> String {
    let columns = Column.all.filter { column in rows.contains { column.cell($0) != nil } }
    let lines = [
      columns.map(\.title), columns.map { $0.isText ? "---" : "---:" },
    ]
    let cells = rows.map { row in columns.map { $0.cell(row) ?? "–" } }
    return (lines + cells).map { "| " + $0.joined(separator: " | ") + " |\n" }.joined()
  }

  /// A column of the table, with what it says of a row; nil for nothing.
  private struct Column {
    var title: String
    var isText = false
    var cell: (ResultRow) -> String?

    static var all: [Column] {
      func percent(_ part: Double) -> String { "\(Int((100 * part).rounded())) %" }
      let readings = Renderings.attributes.enumerated().map { index, name in
        Column(title: "\(name) right") { $0.attributes.map { percent($0[index]) } }
      }
      let measures = [
        Column(title: "method", isText: true) { $0.kind == "all" ? $0.contestant : "" },
        Column(title: "kind", isText: true) { $0.kind },
        Column(title: "pairs") { "\($0.pairs)" },
        Column(title: "source to truth, dB") { $0.untouched.tenths },
        Column(title: "edit to truth, dB") { $0.truth.tenths },
        Column(title: "edit to source, dB") { $0.source.tenths },
        Column(title: "unchanged region, dB") { $0.outside.map { $0 == 99 ? "exact" : $0.tenths } },
        Column(title: "succeeded") { percent($0.succeeded) },
      ]
      let costs = [
        Column(title: "overlap of outlines") { $0.overlap.map(percent) },
        Column(title: "evaluations") { $0.evaluations.map { "\(Int($0.rounded()))" } },
        Column(title: "seconds") { $0.seconds.map { "\(Int($0.rounded()))" } },
      ]
      return measures + readings + costs
    }
  }
}

extension Double {
  /// With one decimal; for dB here, none of which is below 0.
  var tenths: String {
    let tenths = Int((self * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }
}
