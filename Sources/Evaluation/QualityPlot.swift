import Platform

/// How often edits succeed over what they cost: a drawing with a panel for each kind and a point for each contestant.
public enum QualityPlot {
  private static let panel = (width: 420.0, height: 300.0)
  private static let margin = (left: 46.0, top: 30.0, right: 14.0, bottom: 40.0)
  private static let line = 17.0

  /// SVG, or nil where nothing is known of cost, as of pictures that something else made.
  ///
  /// Costs are on a logarithmic axis. A whisker is the standard error of a part of so many edits, √(p·(1 − p)/n).
  public static func svg(_ rows: [ResultRow]) -> String? {
    let rows = rows.filter { ($0.evaluations ?? 0) > 0 }
    let kinds = inOrder(rows.map(\.kind)).filter { $0 != "all" }
    let names = inOrder(rows.map(\.contestant))
    guard let least = rows.compactMap(\.evaluations).min(), let most = rows.compactMap(\.evaluations).max(),
      !kinds.isEmpty
    else { return nil }
    // Whole octaves around all points.
    let octaves = (log2(least).rounded(.down), max(log2(most).rounded(.up), log2(least).rounded(.down) + 1))
    let width = Double(kinds.count) * panel.width
    let height = panel.height + 14 + line * Double(names.count)
    var body: [String] = []
    for (column, kind) in kinds.enumerated() {
      body.append("<g transform=\"translate(\(Double(column) * panel.width) 0)\">")
      body += axes(kind, octaves)
      for row in rows where row.kind == kind {
        body += point(row, number: names.firstIndex(of: row.contestant)! + 1, octaves)
      }
      body.append("</g>")
    }
    for (i, name) in names.enumerated() {
      let cost = rows.first { $0.contestant == name }!.evaluations!
      let y = panel.height + 14 + line * Double(i)
      body.append(
        "<text x=\"\(margin.left)\" y=\"\(y)\">\(i + 1)  \(name), \(Int(cost.rounded())) evaluations</text>")
    }
    let head =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(width) \(height)\" width=\"\(width)\" "
      + "font-family=\"sans-serif\" font-size=\"12\"><rect width=\"100%\" height=\"100%\" fill=\"white\"/>"
    return ([head] + body + ["</svg>"]).joined(separator: "\n") + "\n"
  }

  private static func axes(_ kind: String, _ octaves: (Double, Double)) -> [String] {
    let (left, right) = (margin.left, panel.width - margin.right)
    let (top, bottom) = (margin.top, panel.height - margin.bottom)
    var parts = [
      "<text x=\"\(left)\" y=\"18\" font-weight=\"bold\">\(kind): edits that succeed, %</text>",
      "<text x=\"\(right)\" y=\"\(panel.height - 6)\" text-anchor=\"end\">network evaluations of an edit</text>",
    ]
    for percent in stride(from: 0, through: 100, by: 20) {
      let y = height(of: Double(percent) / 100)
      parts.append("<path d=\"M\(left) \(y)H\(right)\" stroke=\"#e4e4e4\"/>")
      parts.append("<text x=\"\(left - 6)\" y=\"\(y + 4)\" text-anchor=\"end\">\(percent)</text>")
    }
    for octave in Int(octaves.0)...Int(octaves.1) {
      let x = place(of: Double(1 << octave), octaves)
      parts.append("<path d=\"M\(x) \(top)V\(bottom)\" stroke=\"#e4e4e4\"/>")
      parts.append("<text x=\"\(x)\" y=\"\(bottom + 16)\" text-anchor=\"middle\">\(1 << octave)</text>")
    }
    return parts
  }

  private static func point(_ row: ResultRow, number: Int, _ octaves: (Double, Double)) -> [String] {
    let x = place(of: row.evaluations!, octaves)
    let y = height(of: row.succeeded)
    let error = (row.succeeded * (1 - row.succeeded) / Double(row.pairs)).squareRoot()
    let (low, high) = (height(of: max(0, row.succeeded - error)), height(of: min(1, row.succeeded + error)))
    return [
      "<path d=\"M\(x) \(low)V\(high)\" stroke=\"#a0bee1\" stroke-width=\"2\"/>",
      "<circle cx=\"\(x)\" cy=\"\(y)\" r=\"3.5\" fill=\"#195aaa\"/>",
      "<text x=\"\(x + 6)\" y=\"\(y + 4)\">\(number)</text>",
    ]
  }

  private static func place(of cost: Double, _ octaves: (Double, Double)) -> Double {
    let room = panel.width - margin.left - margin.right
    return tenths(margin.left + room * (log2(cost) - octaves.0) / (octaves.1 - octaves.0))
  }

  private static func height(of part: Double) -> Double {
    tenths(margin.top + (1 - part) * (panel.height - margin.top - margin.bottom))
  }

  private static func tenths(_ value: Double) -> Double { (value * 10).rounded() / 10 }

  private static func inOrder(_ names: [String]) -> [String] {
    names.enumerated().filter { names.firstIndex(of: $0.element) == $0.offset }.map(\.element)
  }
}
