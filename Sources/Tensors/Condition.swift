/// What a prompt becomes for the noise predictor. Methods treat it as one value.
public struct Condition: Sendable, Equatable {
  /// Text states, `[tokens, width]`.
  public var context: HostTensor
  /// Pooled text vector `[1, width]` of models with two encoders.
  public var pooled: HostTensor?
  /// Original size, crop and target size, `[1, 6]`, of models that are told them.
  public var timeIDs: HostTensor?
  /// Tokens of the prompt without begin, end and padding marks.
  public var tokenCount: Int

  public init(context: HostTensor, pooled: HostTensor? = nil, timeIDs: HostTensor? = nil, tokenCount: Int = 0)
  {
    self.context = context
    self.pooled = pooled
    self.timeIDs = timeIDs
    self.tokenCount = tokenCount
  }

  public var byteCount: Int { (context.count + (pooled?.count ?? 0) + (timeIDs?.count ?? 0)) * 4 }
}
