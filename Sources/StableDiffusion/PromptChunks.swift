/// A part of a prompt as a text encoder reads it at once, with how much each of its rows counts.
package struct PromptChunk: Sendable, Equatable {
  /// `[begin, tokens…, end, pad…]`, L ids.
  package var ids: [Int32]
  /// Of every row of the states, L numbers: 1 for what is no text.
  package var weights: [Float]
  /// Ids that stand for text.
  package var tokenCount: Int

  package init(ids: [Int32], weights: [Float], tokenCount: Int) {
    (self.ids, self.weights, self.tokenCount) = (ids, weights, tokenCount)
  }

  /// A prompt without weights.
  package init(_ encoding: Tokenizer.Encoding) {
    ids = encoding.ids
    weights = Array(repeating: 1, count: ids.count)
    tokenCount = encoding.tokenCount
  }
}

extension Tokenizer {
  /// A prompt of any length, with weights, in contexts of L ids.
  ///
  ///     tokens of all parts, one part after the other ─► L − 2 at a time ─► [begin, …, end, pad…]
  ///     states z of a chunk, each row by its weight:  z_i ← w_i · z_i;  chunks one below the other: [k·L, width]
  ///     pooled vector (XL): of the first chunk, without weights
  ///
  /// A part with a weight of its own is tokenized for itself, and BREAK ends a chunk wherever it is, so that two of them
  /// leave one that is empty; one behind everything adds none. Nothing is moved to the next chunk for a comma's sake.
  ///
  /// Rows are multiplied as A1111 does with its emphasis mode "No norm" (`modules/sd_hijack_clip.py`,
  /// `modules/sd_emphasis.py`). Its other mode multiplies the whole chunk once more, by the ratio of the means of z before
  /// and after. That is left out: final norms make the mean of z nearly zero (0.004 at a standard deviation of 1.1 in the
  /// embedded model), so that 1.5 for one word divides all others by up to 1.3, and one more may turn their sign; for XL
  /// A1111 itself advises against it. All weights 1 leave every bit as it is.
  ///
  /// - Parameter maxLength: L, the text encoder's `max_position_embeddings`.
  /// - Returns: one at least.
  package func chunks(_ prompt: WeightedPrompt, maxLength: Int) -> [PromptChunk] {
    precondition(maxLength > 2, "no room for a word in \(maxLength) ids")
    let room = maxLength - 2
    var chunks: [PromptChunk] = []
    var (ids, weights): ([Int32], [Float]) = ([], [])
    func finish() {
      let rest = room - ids.count
      chunks.append(
        PromptChunk(
          ids: [beginID] + ids + [endID] + Array(repeating: padID, count: rest),
          weights: [1] + weights + Array(repeating: 1, count: rest + 1), tokenCount: ids.count))
      (ids, weights) = ([], [])
    }
    for part in prompt.parts {
      switch part {
      case .contextEnd: finish()
      case .text(let text, let weight):
        for id in tokens(of: text) {
          if ids.count == room { finish() }
          ids.append(id)
          weights.append(Float(weight))
        }
      }
    }
    if !ids.isEmpty || chunks.isEmpty { finish() }
    return chunks
  }

  /// What stands where another prompt has a chunk more: the empty prompt.
  package func emptyChunk(maxLength: Int) -> PromptChunk {
    PromptChunk(encode("", maxLength: maxLength))
  }
}
