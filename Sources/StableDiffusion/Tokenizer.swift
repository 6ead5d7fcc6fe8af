import FoundationEssentials

/// CLIP's tokenizer: text → ids, exactly as the published one of the checkpoints (Radford et al. 2021).
///
///     [begin, tokens…, end, pad…]    `maxLength` ids, at most `maxLength` − 2 tokens of text
///
/// Text is brought to normal form C and to lower case, split by CLIP's pattern, and every word is encoded by its
/// bytes. SD 1.x pads with the end mark, SD 2.x and SDXL's second tokenizer with "!"; where "!" is the padding, one
/// that is written in a prompt becomes the same id.
package struct Tokenizer: Sendable {
  package let beginID: Int32
  package let endID: Int32
  package let padID: Int32
  private let unknownID: Int32
  private let vocabulary: TokenizerVocabulary
  private let marks: [TokenizerScanner.Mark]

  /// What a prompt became.
  package struct Encoding: Sendable, Equatable {
    /// `maxLength` ids.
    package var ids: [Int32]
    /// Ids that stand for text, begin, end and padding marks not counted.
    package var tokenCount: Int
    /// The end of the prompt that did not fit, from the first word that is not there whole; nil if all fitted.
    package var removed: String?
  }

  package init(_ files: TokenizerFiles) throws(TokenizerError) {
    try self.init(ids: files.ids, merges: files.merges, marks: files.marks)
  }

  private init(
    ids: TokenTable, merges: TokenMerges, marks: TokenizerMarks
  ) throws(TokenizerError) {
    vocabulary = try TokenizerVocabulary(ids: ids, merges: merges)
    // A mark that plays several parts is found the way its last part says.
    var found: [String: TokenizerScanner.Mark] = [:]
    for token in [marks.begin, marks.end, marks.unknown, marks.pad] {
      guard let id = ids[token.content] else { throw .missingToken(token.content) }
      found[token.content] = TokenizerScanner.Mark(
        text: token.content, id: id, isNormalized: token.isNormalized)
    }
    self.marks = found.values.sorted { $0.id < $1.id }
    beginID = found[marks.begin.content]!.id
    endID = found[marks.end.content]!.id
    unknownID = found[marks.unknown.content]!.id
    padID = found[marks.pad.content]!.id
  }

  /// - Parameter maxLength: the text encoder's `max_position_embeddings`, 77 in all public checkpoints.
  package func encode(_ text: String, maxLength: Int) -> Encoding {
    precondition(maxLength >= 2, "no room for the begin and end marks in \(maxLength) ids")
    let room = maxLength - 2
    var tokens: [Int32] = []
    var removed: String?
    let scanner = TokenizerScanner(text, marks: marks)
    for word in scanner.words {
      append(word, to: &tokens)
      if tokens.count > room {
        removed = scanner.text(from: word.start)
        tokens.removeLast(tokens.count - room)
        break
      }
    }
    let padding = [Int32](repeating: padID, count: room - tokens.count)
    return Encoding(ids: [beginID] + tokens + [endID] + padding, tokenCount: tokens.count, removed: removed)
  }

  /// The ids of all of a text, without marks around them.
  func tokens(of text: String) -> [Int32] {
    TokenizerScanner(text, marks: marks).words.reduce(into: []) { append($1, to: &$0) }
  }

  private func append(_ word: TokenizerScanner.Word, to tokens: inout [Int32]) {
    switch word.content {
    case .mark(let id): tokens.append(id)
    case .text(let bytes): tokens += vocabulary.encode(bytes, unknown: unknownID)
    }
  }
}

/// Why a tokenizer's files were refused.
public enum TokenizerError: Error, Equatable, Sendable, CustomStringConvertible {
  case badVocabulary(reason: String)
  case badMerge(line: Int, text: String)
  case badMarks(file: String, reason: String)
  case missingToken(String)
  /// `tokenizer.json` describes another tokenizer than CLIP's.
  case unsupportedTokenizer(reason: String)

  public var description: String {
    switch self {
    case .badVocabulary(let reason):
      "vocab.json: is no table of tokens and ids (\(reason)); download the model's tokenizer folder again"
    case .badMerge(let line, let text):
      "merges.txt: line \(line), \"\(text)\", does not name two tokens that join to a third; "
        + "download merges.txt and vocab.json again, both"
    case .badMarks(let file, let reason):
      "\(file): cannot be read (\(reason)); download the model's tokenizer folder again"
    case .unsupportedTokenizer(let reason):
      "tokenizer.json: is not CLIP's tokenizer (\(reason)); copy vocab.json and merges.txt beside it, from the model's "
        + "tokenizer folder"
    case .missingToken(let token):
      "vocab.json: has no token \"\(token)\", which the tokenizer's configuration names; "
        + "download the model's tokenizer folder again"
    }
  }
}
