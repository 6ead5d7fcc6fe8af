/// What a prompt becomes for the noise predictor. Methods treat it as one value.
public struct Condition: Sendable, Equatable {
  /// Text states, `[tokens, width]`.
  public var context: HostTensor
  /// Pooled text vector `[1, width]` of models with two encoders.
  public var pooled: HostTensor?
  /// Original size, crop and target size, `[1, 6]`, of models that are told them.
  public var timeIDs: HostTensor?
  /// Rows of the text states that are words, in the order of the prompt: neither begin, end nor padding marks. A prompt in
  /// several contexts has a range in each.
  public var wordRows: [Range<Int>]
  /// Tokens of the prompt without begin, end and padding marks.
  public var tokenCount: Int { wordRows.reduce(0) { $0 + $1.count } }

  public init(
    context: HostTensor, pooled: HostTensor? = nil, timeIDs: HostTensor? = nil, wordRows: [Range<Int>]
  ) {
    (self.context, self.pooled, self.timeIDs) = (context, pooled, timeIDs)
    self.wordRows = wordRows
  }

  /// A prompt in one context, whose first row is its begin mark.
  public init(context: HostTensor, pooled: HostTensor? = nil, timeIDs: HostTensor? = nil, tokenCount: Int = 0)
  {
    self.init(context: context, pooled: pooled, timeIDs: timeIDs, wordRows: [1..<1 + tokenCount])
  }

  public var byteCount: Int { (context.count + (pooled?.count ?? 0) + (timeIDs?.count ?? 0)) * 4 }
}
