import Editing
import StableDiffusion

/// How prompts are read: all of an edit, concepts and the negative one too.
public enum PromptSyntax: String, Sendable, Codable, CaseIterable {
  /// As they are written, up to what a text encoder reads at once (L − 2 tokens: 75, or 30 of the embedded model). What is
  /// beyond is cut and told.
  case plain
  /// As A1111's web UI reads them: `(word:1.3)`, `(word)`, `[word]` are weights, a backslash makes a bracket text, `BREAK`
  /// begins another context, and a long prompt takes as many contexts as it needs. All prompts of an edit are padded with
  /// empty contexts to as many as the longest has.
  case weighted
}

/// A text and how it is read.
struct PromptText: Hashable, Sendable {
  var text: String
  var syntax = PromptSyntax.plain
}

extension Model {
  /// A text as one of the text encoders reads it, and the end that does not fit.
  ///
  /// - Throws: `RequestError.promptWeight`, what a tokenizer's files throw.
  func chunks(
    of text: PromptText, encoder index: Int
  ) throws -> (chunks: [PromptChunk], removed: String?) {
    let (part, length) = (textEncoders[index], textEncoders[index].encoder.configuration.tokens)
    switch text.syntax {
    case .plain:
      let encoding = try part.tokenizer().encode(text.text, maxLength: length)
      return ([PromptChunk(encoding)], encoding.removed)
    case .weighted:
      let prompt = WeightedPrompt(parsing: text.text)
      if let excess = prompt.excess {
        throw RequestError.promptWeight(
          text: excess.text, weight: excess.weight, limit: WeightedPrompt.weightLimit)
      }
      return (try part.tokenizer().chunks(prompt, maxLength: length), nil)
    }
  }

  /// Contexts of the longest text.
  func contexts(of texts: [PromptText]) throws -> Int {
    // Plain text has one, whatever it says.
    let counts = try texts.filter { $0.syntax == .weighted }.flatMap { text in
      try textEncoders.indices.map { try chunks(of: text, encoder: $0).chunks.count }
    }
    return counts.max() ?? 1
  }

  /// Sequences of ids that a text encoder is asked for, each once.
  func sequences(of edits: [PromptEncoder.Texts], contexts: Int) throws -> Int {
    let texts = edits.distinctTexts
    guard contexts > 1 || texts.contains(where: { $0.syntax == .weighted }) else { return texts.count }
    var ids = Set(try texts.flatMap { try chunks(of: $0, encoder: 0).chunks.map(\.ids) })
    if contexts > 1 { ids.insert(try textEncoders[0].tokenizer().emptyChunk(maxLength: tokens).ids) }
    return ids.count
  }

  /// Whether a text is the same ids without weights, plain or weighted.
  fileprivate func readsAlike(_ text: String) throws -> Bool {
    try textEncoders.indices.allSatisfy { index in
      let plain = try chunks(of: PromptText(text: text), encoder: index)
      let weighted = try chunks(of: PromptText(text: text, syntax: .weighted), encoder: index)
      return plain.removed == nil && plain.chunks == weighted.chunks
    }
  }
}

extension EditRequest {
  /// Contexts that every prompt of the edit takes, or is padded to: those of the longest, or of the embeddings that a given
  /// inversion has.
  ///
  /// - Throws: `InversionError.differs` for an inversion whose prompts were read otherwise, or for fewer contexts.
  func contexts(on model: Model) throws -> Int {
    let needed = try model.contexts(of: texts.all)
    guard let saved = inversion else { return needed }
    let origin = saved.origin
    if origin.promptSyntax != syntax {
      let used = [origin.sourcePrompt, saved.inversion.readsNegativePrompt ? origin.negativePrompt : nil]
      guard try used.compactMap({ $0 }).allSatisfy(model.readsAlike) else {
        throw InversionError.differs(.promptSyntax(made: origin.promptSyntax, asked: syntax))
      }
    }
    guard let rows = saved.inversion.embeddings.first?.value.shape[0], rows > 0, rows % model.tokens == 0
    else { return needed }
    let made = rows / model.tokens
    guard needed <= made else { throw InversionError.differs(.contexts(made: made, asked: needed)) }
    return made
  }

  /// What is to be said of prompts that mean more than plain text says; nil for ordinary ones.
  var syntaxNote: String? {
    guard syntax == .plain, texts.all.contains(where: { WeightedPrompt(parsing: $0.text).looksIntended })
    else { return nil }
    return
      "Brackets with weights, and BREAK, are text like any other here: --prompt-syntax weighted gives them the "
      + "meaning that they have in A1111's web UI."
  }
}
