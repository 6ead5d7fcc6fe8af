import FoundationEssentials

/// Splits a prompt into the words that are encoded one by one, as CLIP's pattern does:
///
///     's|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+
///
/// over text in normal form C and lower case. Marks (`<|endoftext|>`) that are written in the prompt are cut out
/// first and stand for themselves.
struct TokenizerScanner {
  /// A mark that may be written in a prompt.
  struct Mark: Sendable, Equatable {
    var text: String
    var id: Int32
    /// Whether it is looked for after normalisation, so in any case.
    var isNormalized: Bool
  }

  struct Word {
    enum Content {
      case mark(Int32)
      case text([UInt8])
    }
    var content: Content
    /// The prompt from this word on, in normal form C but in its own case.
    var start: Position
  }

  struct Position {
    fileprivate var segment: Int, scalar: Int
  }

  /// A stretch of the prompt between marks.
  private struct Segment {
    /// Normal form C.
    var scalars: [Unicode.Scalar]
    /// The prompt behind it.
    var rest: Substring.UnicodeScalarView
  }

  private(set) var words: [Word] = []
  private var segments: [Segment] = []

  init(_ text: String, marks: [Mark]) {
    let scalars = Array(text.unicodeScalars)
    for piece in Self.split(scalars, at: marks.filter { !$0.isNormalized }) {
      let rest = text.unicodeScalars.dropFirst(piece.range.upperBound)
      let raw = scalars[piece.range]
      if let id = piece.mark {
        segments.append(Segment(scalars: Array(raw), rest: rest))
        words.append(Word(content: .mark(id), start: Position(segment: segments.count - 1, scalar: 0)))
      } else {
        segments.append(Segment(scalars: TokenizerNormalForm.compose(raw), rest: rest))
        scan(marks.filter(\.isNormalized))
      }
    }
  }

  /// The prompt from a word on, without white space around it.
  func text(from start: Position) -> String {
    let segment = segments[start.segment]
    var text = String.UnicodeScalarView()
    text.append(contentsOf: segment.scalars[start.scalar...])
    text.append(contentsOf: segment.rest)
    let words = text.drop(while: \.properties.isWhitespace)
    let end = words.lastIndex { !$0.properties.isWhitespace }.map(words.index(after:)) ?? words.startIndex
    return String(Substring(words[..<end]))
  }

  // MARK: Steps

  /// Cuts the text at the marks, the leftmost first and of two at one place the longer.
  private static func split(
    _ text: [Unicode.Scalar], at marks: [Mark]
  ) -> [(range: Range<Int>, mark: Int32?)] {
    let marks = marks.map { (scalars: Array($0.text.unicodeScalars), id: $0.id) }
      .filter { !$0.scalars.isEmpty }.sorted { $0.scalars.count > $1.scalars.count }
    var pieces: [(range: Range<Int>, mark: Int32?)] = []
    var (start, i) = (0, 0)
    while i < text.count {
      guard let mark = marks.first(where: { text[i...].starts(with: $0.scalars) }) else {
        i += 1
        continue
      }
      if start < i { pieces.append((start..<i, nil)) }
      pieces.append((i..<i + mark.scalars.count, mark.id))
      i += mark.scalars.count
      start = i
    }
    if start < i { pieces.append((start..<i, nil)) }
    return pieces
  }

  /// Words of the last segment.
  private mutating func scan(_ marks: [Mark]) {
    // Lower case scalar by scalar: no rule looks at the neighbours, not even the one for a final sigma.
    var lower: [Unicode.Scalar] = []
    var origin: [Int] = []
    for (i, scalar) in segments[segments.count - 1].scalars.enumerated() {
      for mapped in scalar.properties.lowercaseMapping.unicodeScalars {
        lower.append(mapped)
        origin.append(i)
      }
    }
    for piece in Self.split(lower, at: marks) {
      if let id = piece.mark {
        append(.mark(id), at: origin[piece.range.lowerBound])
        continue
      }
      var rest = lower[piece.range]
      while !rest.isEmpty {
        for length in Self.wordLengths(rest) {
          let word = rest.prefix(length)
          rest = rest.dropFirst(length)
          if word.first!.kind == .space { continue }
          append(.text(word.flatMap { Array(String($0).utf8) }), at: origin[word.startIndex])
        }
      }
    }
  }

  private mutating func append(_ content: Word.Content, at scalar: Int) {
    words.append(Word(content: content, start: Position(segment: segments.count - 1, scalar: scalar)))
  }

  private static let contractions = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"].map {
    Array($0.unicodeScalars)
  }
  private static let spelledMarks = ["<|startoftext|>", "<|endoftext|>"].map { Array($0.unicodeScalars) }

  /// Lengths of the words, or of the white space, that the match at the start of `text` gives.
  private static func wordLengths(_ text: ArraySlice<Unicode.Scalar>) -> [Int] {
    if let match = contractions.first(where: text.starts(with:)) { return [match.count] }
    // A mark in capitals is none by now but is still one match of the pattern, which CLIP's second pass over the
    // matches then splits: the symbols that follow it do not join its last two.
    if let match = spelledMarks.first(where: text.starts(with:)) { return [2, match.count - 4, 2] }
    let kind = text.first!.kind
    switch kind {
    case .number: return [1]
    case .letter, .symbol, .space: return [text.prefix { $0.kind == kind }.count]
    }
  }
}

extension Unicode.Scalar {
  fileprivate enum Kind { case letter, number, space, symbol }

  fileprivate var kind: Kind {
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: .letter
    case .decimalNumber, .letterNumber, .otherNumber: .number
    default: properties.isWhitespace ? .space : .symbol
    }
  }
}
