/// A prompt in which words have weights, as A1111's web UI and the pipelines of diffusers that follow it read it.
///
///     (text)   1.1 times         (text:1.3)   1.3 times        \( \) \[ \] \\   the character itself
///     [text]   1/1.1 times       BREAK        what follows begins another context
///
/// Brackets nest, and their weights multiply. A bracket that is not closed reaches to the end; one that closes nothing is
/// text, and so is a colon with what is no number behind it. A backslash before any other character is left out. White
/// space around BREAK goes with it. It ends a context inside brackets too, where those programs take it for a word.
///
/// Source: `parse_prompt_attention` in A1111's `modules/prompt_parser.py`, whose documented examples
/// `WeightedPromptTests` has.
package struct WeightedPrompt: Sendable, Equatable {
  package enum Part: Sendable, Equatable {
    /// Never empty, and never two of one weight in a row: words of a run are read together.
    case text(String, weight: Double)
    case contextEnd
  }

  package private(set) var parts: [Part] = []
  /// Whether somebody who writes such prompts means it so: it has a number for a weight, a bracket right inside another,
  /// or BREAK. A word in brackets is found in ordinary sentences too.
  package private(set) var looksIntended = false

  package init(parsing text: String) {
    var reader = WeightReader(text)
    reader.readAll()
    looksIntended = reader.looksIntended
    var weights = [Double](repeating: 1, count: reader.pieces.count)
    for brackets in [reader.round, reader.square] { brackets.multiply(&weights) }
    var run = (text: "", weight: 1.0)
    func finishRun() {
      if !run.text.isEmpty { parts.append(.text(run.text, weight: run.weight)) }
      run.text = ""
    }
    for (piece, weight) in zip(reader.pieces, weights) {
      if piece == nil || weight != run.weight { finishRun() }
      run.weight = weight
      run.text += piece ?? ""
      if piece == nil { parts.append(.contextEnd) }
    }
    finishRun()
  }

  /// Text with a weight of which numbers of single precision may run over in a network; nil where there is none.
  package var excess: (text: String, weight: Double)? {
    for case .text(let text, let weight) in parts where !(abs(weight) <= Self.weightLimit) {
      return (text, weight)
    }
    return nil
  }

  /// The largest weight, and its opposite the least.
  package static let weightLimit = 100.0
}

/// Brackets of one kind. They nest.
private struct Brackets {
  private struct Pair {
    let start: Int
    var end = Int.max
    var factor: Double
  }

  /// In the order in which they were opened; `start` and `end` count pieces of text.
  private var pairs: [Pair] = []
  private var open: [Int] = []
  /// Of one without a number.
  let factor: Double

  init(factor: Double) { self.factor = factor }

  var isOpen: Bool { !open.isEmpty }

  mutating func open(at piece: Int) {
    open.append(pairs.count)
    pairs.append(Pair(start: piece, factor: factor))
  }

  /// - Precondition: one is open.
  mutating func close(at piece: Int, factor: Double? = nil) {
    let pair = open.removeLast()
    pairs[pair].end = piece
    if let factor { pairs[pair].factor = factor }
  }

  /// Every weight by those of the brackets around it, in one pass however deep they are.
  func multiply(_ weights: inout [Double]) {
    var around: [(end: Int, factor: Double)] = []
    var next = 0
    for i in weights.indices {
      while let last = around.last, last.end <= i { around.removeLast() }
      while next < pairs.count, pairs[next].start <= i {
        let pair = pairs[next]
        if pair.end > i { around.append((pair.end, (around.last?.factor ?? 1) * pair.factor)) }
        next += 1
      }
      weights[i] *= around.last?.factor ?? 1
    }
  }
}

/// Takes a prompt apart.
private struct WeightReader {
  private let scalars: [Unicode.Scalar]
  private var position = 0
  /// Text, and nil for the end of a context.
  private(set) var pieces: [String?] = []
  private(set) var round = Brackets(factor: 1.1)
  private(set) var square = Brackets(factor: 1 / 1.1)
  private(set) var looksIntended = false

  init(_ text: String) { scalars = Array(text.unicodeScalars) }

  mutating func readAll() {
    while position < scalars.count {
      let scalar = scalars[position]
      switch scalar {
      case "\\":
        let isEscape =
          position + 1 < scalars.count && scalars[position + 1] != ":"
          && Self.isSpecial(scalars[position + 1])
        if isEscape { pieces.append(String(scalars[position + 1])) }
        position += isEscape ? 2 : 1
        continue
      case "(", "[":
        if position > 0, scalars[position - 1] == scalar, !isEscaped(position - 1) { looksIntended = true }
        if scalar == "(" { round.open(at: pieces.count) } else { square.open(at: pieces.count) }
      case ")" where round.isOpen: round.close(at: pieces.count)
      case "]" where square.isOpen: square.close(at: pieces.count)
      case ":" where round.isOpen:
        if let (weight, end) = weight(behind: position) {
          round.close(at: pieces.count, factor: weight)
          looksIntended = true
          position = end
          continue
        }
        pieces.append(":")
      case ")", "]", ":": pieces.append(String(scalar))
      default:
        readRun()
        continue
      }
      position += 1
    }
  }

  /// Whether a bracket is text: an odd number of backslashes is before it.
  private func isEscaped(_ place: Int) -> Bool {
    var first = place
    while first > 0, scalars[first - 1] == "\\" { first -= 1 }
    return (place - first) % 2 == 1
  }

  /// The number between a colon and the bracket that it closes, and where what follows begins.
  private func weight(behind colon: Int) -> (weight: Double, end: Int)? {
    var end = colon + 1
    if end < scalars.count, scalars[end] == "+" || scalars[end] == "-" { end += 1 }
    let digits = end
    while end < scalars.count, scalars[end] == "." || ("0"..."9").contains(scalars[end]) { end += 1 }
    guard end > digits, end < scalars.count, scalars[end] == ")" else { return nil }
    // A point needs a digit on both sides to be read the same everywhere.
    let whole = scalars[digits..<end].prefix { $0 != "." }
    let part = scalars[digits..<end].dropFirst(whole.count + 1)
    guard whole.count + part.count > 0, !part.contains(".") else { return nil }
    let sign = scalars[digits - 1] == "-" ? "-" : ""
    let number = sign + "0" + whole.map(String.init).joined() + "." + part.map(String.init).joined() + "0"
    return (Double(number) ?? .infinity, end + 1)
  }

  /// Text up to the next character that means something, with the ends of contexts in it.
  private mutating func readRun() {
    let end = scalars[position...].firstIndex(where: Self.isSpecial) ?? scalars.count
    let run = scalars[position..<end]
    var start = position
    for place in run.indices where isBreak(at: place, in: run) && place >= start {
      append(scalars[start..<place], droppingSpaceBehind: true)
      pieces.append(nil)
      looksIntended = true
      start = place + Self.contextEnd.count
      while start < end, scalars[start].properties.isWhitespace { start += 1 }
    }
    append(scalars[start..<end], droppingSpaceBehind: false)
    position = end
  }

  private mutating func append(_ text: ArraySlice<Unicode.Scalar>, droppingSpaceBehind drops: Bool) {
    var text = text
    while drops, text.last?.properties.isWhitespace == true { text.removeLast() }
    var words = String.UnicodeScalarView()
    words.append(contentsOf: text)
    pieces.append(String(words))
  }

  private static func isSpecial(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "\\", "(", ")", "[", "]", ":": true
    default: false
    }
  }

  private static let contextEnd = Array("BREAK".unicodeScalars)

  /// Whether the word BREAK begins there, and not as a part of another.
  private func isBreak(at place: Int, in run: ArraySlice<Unicode.Scalar>) -> Bool {
    let rest = run[place...]
    guard rest.starts(with: Self.contextEnd) else { return false }
    func isWord(_ scalar: Unicode.Scalar?) -> Bool {
      guard let scalar else { return false }
      return scalar == "_" || scalar.properties.isAlphabetic || scalar.properties.numericType != nil
    }
    return !isWord(rest.dropFirst(Self.contextEnd.count).first)
      && !isWord(place > run.startIndex ? run[place - 1] : nil)
  }
}
