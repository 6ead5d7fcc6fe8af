extension [String] {
  /// Those that somebody who wrote `name` may have meant, best first, at most three: they begin with it, or come
  /// from it by few changes of a letter. Case, spaces and underscores do not count.
  package func near(_ name: String) -> [String] {
    func plain(_ text: String) -> [Character] {
      text.lowercased().map { $0 == " " || $0 == "_" ? "-" : $0 }
    }
    let written = plain(name)
    let rated: [(name: String, changes: Int)] = compactMap { candidate in
      let known = plain(candidate)
      let changes = editDistance(written, known)
      let begins = written.count >= 3 && known.starts(with: written)
      return begins || changes <= Swift.max(1, known.count / 3) ? (candidate, begins ? 0 : changes) : nil
    }
    return rated.sorted { $0.changes < $1.changes }.prefix(3).map(\.name)
  }
}

/// How many letters have to be put in, left out, replaced or swapped with their neighbour to turn `a` into `b`
/// (Damerau 1964, each stretch changed once).
private func editDistance(_ a: [Character], _ b: [Character]) -> Int {
  // rows[i][j]: from the first i letters of a to the first j of b.
  var rows = [Array(0...b.count)]
  for i in a.indices {
    var row = [i + 1]
    for j in b.indices {
      var best = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (a[i] == b[j] ? 0 : 1))
      if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, rows[i - 1][j - 1] + 1) }
      row.append(best)
    }
    rows.append(row)
  }
  return rows[a.count][b.count]
}
