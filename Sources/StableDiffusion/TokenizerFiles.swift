import FoundationEssentials
import JSON

/// What a tokenizer is made from: tokens and ids, merges in the order of their rank, marks.
package struct TokenizerFiles {
  let ids: TokenTable
  let merges: TokenMerges
  let marks: TokenizerMarks

  /// A tokenizer folder's files. Without a vocabulary it follows from the merges, as CLIP's does; the two files about
  /// marks may be missing: then CLIP's own are used.
  package init(
    vocabulary: Data?, merges: Data, specialTokensMap: Data? = nil, configuration: Data? = nil
  ) throws(TokenizerError) {
    self.merges = try TokenizerVocabulary.merges(parsing: merges)
    marks = try TokenizerMarks(specialTokensMap: specialTokensMap, configuration: configuration)
    if let vocabulary {
      ids = try TokenizerVocabulary.ids(parsing: vocabulary)
    } else {
      ids = Self.ids(from: self.merges, marks)
    }
  }

  /// `tokenizer.json`, the one file that the tokenizers library writes, which holds vocabulary and merges. Marks are
  /// those of the two other files, or CLIP's own.
  ///
  ///     {"model": {"type": "BPE", "vocab": {token: id, …}, "merges": ["a b", …] or [["a", "b"], …],
  ///                "end_of_word_suffix": "</w>"}, "added_tokens": [{"id": …, "content": …}, …], …}
  ///
  /// - Throws: `unsupportedTokenizer` where it describes another tokenizer than CLIP's.
  package init(
    json: Data, specialTokensMap: Data? = nil, configuration: Data? = nil
  ) throws(TokenizerError) {
    marks = try TokenizerMarks(specialTokensMap: specialTokensMap, configuration: configuration)
    guard let whole = try? JSONValue(parsing: Array(json), file: ""), case .object(let file) = whole,
      case .object(let model)? = file["model"], case .object(let vocabulary)? = model["vocab"],
      case .array(let pairs)? = model["merges"]
    else { throw .unsupportedTokenizer(reason: "it has no model with a vocabulary and merges") }
    if let type = model["type"], type != .string("BPE") {
      throw .unsupportedTokenizer(reason: "its model is \(type), not \"BPE\"")
    }
    if let suffix = model["end_of_word_suffix"], suffix != .string("</w>") {
      throw .unsupportedTokenizer(reason: "its words end in \(suffix), not in \"</w>\"")
    }
    var ids = TokenTable(capacity: vocabulary.keys.count)
    // An added token has its id whatever the vocabulary says.
    if case .array(let added)? = file["added_tokens"] {
      for case .object(let token) in added {
        guard case .string(let content)? = token["content"], let id = token["id"].flatMap(Int32.init) else {
          continue
        }
        ids.insert(content, id: id)
      }
    }
    for token in vocabulary.keys {
      guard let id = Int32(vocabulary[token]!) else {
        throw .unsupportedTokenizer(reason: "the id of \"\(token)\" is no whole number")
      }
      ids.insert(token, id: id)
    }
    var merges = TokenMerges()
    for (i, pair) in pairs.enumerated() {
      switch pair {
      case .array(let two):
        guard two.count == 2, case .string(let left) = two[0], case .string(let right) = two[1] else {
          throw .badMerge(line: i + 1, text: "\(pair)")
        }
        merges.append(left.utf8, right.utf8)
      case .string(let text):
        let two = text.split(separator: " ")
        guard two.count == 2 else { throw .badMerge(line: i + 1, text: text) }
        merges.append(two[0].utf8, two[1].utf8)
      default: throw .badMerge(line: i + 1, text: "\(pair)")
      }
    }
    (self.ids, self.merges) = (ids, merges)
  }

  /// CLIP's merges alone.
  ///
  /// - Parameter padToken: "<|endoftext|>" for SD 1.x, "!" for SD 2.x.
  package init(merges: Data, padToken: String = "<|endoftext|>") throws(TokenizerError) {
    var marks = TokenizerMarks()
    marks.pad.content = padToken
    self.marks = marks
    self.merges = try TokenizerVocabulary.merges(parsing: merges)
    ids = Self.ids(from: self.merges, marks)
  }

  private static func ids(from merges: TokenMerges, _ marks: TokenizerMarks) -> TokenTable {
    TokenizerVocabulary.ids(from: merges, begin: marks.begin.content, end: marks.end.content)
  }

  /// The files again, by name, as short as they can be: a vocabulary that follows from the merges is left out. Equal
  /// tokenizers become equal texts, whatever files they were made from.
  package var texts: [String: String] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    func json(_ value: some Encodable) -> String {
      // Dictionaries of texts and numbers always encode.
      String(decoding: try! encoder.encode(value), as: UTF8.self)
    }
    var texts = [
      "merges.txt": (0..<merges.count).map { merges.line($0) + "\n" }.joined(),
      "special_tokens_map.json": json(marks),
    ]
    if ids != Self.ids(from: merges, marks) { texts["vocab.json"] = json(ids.dictionary) }
    return texts
  }
}

extension Tokenizer {
  /// See `TokenizerFiles`.
  package init(
    vocabulary: Data, merges: Data, specialTokensMap: Data? = nil, configuration: Data? = nil
  ) throws(TokenizerError) {
    try self.init(
      TokenizerFiles(
        vocabulary: vocabulary, merges: merges, specialTokensMap: specialTokensMap,
        configuration: configuration))
  }

  /// See `TokenizerFiles`.
  package init(merges: Data, padToken: String = "<|endoftext|>") throws(TokenizerError) {
    try self.init(TokenizerFiles(merges: merges, padToken: padToken))
  }
}
