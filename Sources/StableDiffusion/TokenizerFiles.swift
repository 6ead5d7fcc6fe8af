import FoundationEssentials

/// What a tokenizer is made from: tokens and ids, merges in the order of their rank, marks.
package struct TokenizerFiles {
  let ids: [String: Int32]
  let merges: [(left: String, right: String)]
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

  private static func ids(
    from merges: [(left: String, right: String)], _ marks: TokenizerMarks
  ) -> [String: Int32] {
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
      "merges.txt": merges.map { "\($0.left) \($0.right)\n" }.joined(),
      "special_tokens_map.json": json(marks),
    ]
    if ids != Self.ids(from: merges, marks) { texts["vocab.json"] = json(ids) }
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
