/// What some weights of a container become, whatever the others do: `unet.mid_block=fp16`.
public struct WeightRule: Sendable, Equatable {
  /// A part of their names; a star in it stands for any characters: `unet.*.attn2`.
  public var pattern: String
  /// Norms and biases stay fp32 all the same, and embeddings are at least fp16.
  public var precision: WeightPrecision

  public init(_ pattern: String, _ precision: WeightPrecision) {
    (self.pattern, self.precision) = (pattern, precision)
  }

  /// - Parameter text: `PATTERN=PRECISION`; nil where it is something else.
  public init?(parsing text: String) {
    guard let sign = text.lastIndex(of: "="), sign != text.startIndex,
      let precision = WeightPrecision(rawValue: String(text[text.index(after: sign)...]))
    else { return nil }
    self.init(String(text[..<sign]), precision)
  }

  /// - Parameter name: of a weight in the container, component first.
  public func matches(_ name: String) -> Bool {
    var rest = name[...]
    for part in pattern.split(separator: "*") {
      guard let found = rest.firstRange(of: part) else { return false }
      rest = rest[found.upperBound...]
    }
    return true
  }
}
