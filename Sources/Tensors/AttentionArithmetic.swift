/// In what a network computes its attention.
public enum AttentionArithmetic: String, Hashable, Sendable, Codable, CaseIterable {
  case float
  /// In bytes where the layers before it multiply bytes and nobody reads its probabilities; in floats elsewhere.
  case int8
}
