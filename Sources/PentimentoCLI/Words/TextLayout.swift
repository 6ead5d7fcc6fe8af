import Platform

/// Text in lines of a terminal's width.
struct TextLayout {
  var width: Int

  /// Of standard output's terminal, between 60 and 100 columns; 80 where it is none.
  static var here: TextLayout {
    var size = winsize()
    let isKnown = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    return TextLayout(width: isKnown ? min(max(Int(size.ws_col), 60), 100) : 80)
  }

  /// Paragraphs, each line after so many spaces.
  func paragraphs(_ text: String, indent: Int = 0) -> String {
    text.split(separator: "\n\n").map { paragraph in
      lines(String(paragraph), width - indent).map { String(repeating: " ", count: indent) + $0 }
        .joined(separator: "\n")
    }.joined(separator: "\n\n")
  }

  /// A term and what it means, in two columns; a long term has a line of its own.
  func entry(_ term: String, _ meaning: String, column: Int = 26) -> String {
    let rows = lines(meaning, width - column)
    let start = "  " + term
    let gap = String(repeating: " ", count: column)
    guard let first = rows.first else { return start }
    let rest = rows.dropFirst().map { gap + $0 }
    let head = start.count + 2 <= column ? [start.padding(to: column) + first] : [start, gap + first]
    return (head + rest).joined(separator: "\n")
  }

  /// Words, as many in a line as fit.
  private func lines(_ text: String, _ width: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    for word in text.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
      if !line.isEmpty, line.count + 1 + word.count > width {
        lines.append(line)
        line = ""
      }
      line += (line.isEmpty ? "" : " ") + word
    }
    return line.isEmpty ? lines : lines + [line]
  }
}
