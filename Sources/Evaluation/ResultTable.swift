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
  /// Mean dB to the source outside the mask, where there is an outside; 99 where nothing changed at all.
  public var outside: Double?
  /// Part of the pairs whose edited region is nearer to the truth than to the source.
  public var succeeded: Double
  /// Network evaluations of an edit, mean.
  public var evaluations: Double
  /// Seconds of an edit, mean.
  public var seconds: Double

  init(_ records: [EditRecord], contestant: String, kind: String) {
    func mean(_ value: (EditRecord) -> Double) -> Double {
      records.reduce(0) { $0 + value($1) } / Double(records.count)
    }
    self.contestant = contestant
    self.kind = kind
    pairs = records.count
    untouched = mean { decibels($0.errorUntouched) }
    truth = mean { decibels($0.errorToTruth) }
    let outsides = records.compactMap { $0.errorOutside.map(decibels) }
    outside = outsides.isEmpty ? nil : outsides.reduce(0, +) / Double(outsides.count)
    succeeded = mean { $0.succeeded ? 1 : 0 }
    evaluations = mean { Double($0.report.evaluations) }
    seconds = mean(\.report.seconds)
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

  /// A Markdown table, with 99 dB as what it stands for.
  public static func markdown(_ rows: [ResultRow]) -> String {
    var lines = [
      "| method | kind | pairs | source to truth, dB | edit to truth, dB | unchanged region, dB | succeeded | evaluations | seconds |",
      "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows {
      let cells = [
        row.kind == "all" ? row.contestant : "", row.kind, "\(row.pairs)",
        row.untouched.tenths,
        row.truth.tenths,
        row.outside.map { $0 == 99 ? "exact" : $0.tenths } ?? "–",
        "\(Int((100 * row.succeeded).rounded())) %", "\(Int(row.evaluations.rounded()))",
        "\(Int(row.seconds.rounded()))",
      ]
      lines.append("| " + cells.joined(separator: " | ") + " |")
    }
    return lines.joined(separator: "\n") + "\n"
  }
}

extension Double {
  /// With one decimal; for dB here, none of which is below 0.
  var tenths: String {
    let tenths = Int((self * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
  }
}
