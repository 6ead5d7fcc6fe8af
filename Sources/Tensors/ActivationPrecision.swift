/// In what a network's pictures are kept between its blocks; it always computes in floats of 32 bits.
public enum ActivationPrecision: String, Hashable, Sendable, Codable, CaseIterable {
  case f32
  /// Halves, with a power of two for every line of a picture (`Layout.scaledLines`): half the memory.
  case f16
}
