import JSON

/// How many transformer blocks a UNet has behind each residual block: one number for all levels, one for each, or, in
/// pruned networks, one for each residual block of a level.
///
///     "transformer_layers_per_block":         [0, [2, 2], [4, 4]]          on the way down
///     "reverse_transformer_layers_per_block": [[4, 4, 10], [2, 1, 1], 1]   on the way up, lowest level first
struct TransformerDepths {
  private static let field = "transformer_layers_per_block"
  private static let reversedField = "reverse_transformer_layers_per_block"

  private let fields: ConfigurationFields
  private let levels: Int

  init(_ fields: ConfigurationFields, levels: Int) throws(ModelError) {
    (self.fields, self.levels) = (fields, levels)
    guard fields[Self.reversedField] == nil, case .array(let list) = fields[Self.field] else { return }
    if list.contains(where: { if case .array = $0 { true } else { false } }) {
      throw fields.inconsistent(
        Self.field, "counts the layers of a level one by one, but there is no \(Self.reversedField)")
    }
  }

  /// - Parameter attends: whether the level has transformers; what the file says of others means nothing.
  func down(_ level: Int, layers: Int, attends: Bool) throws(ModelError) -> [Int] {
    guard attends else { return Array(repeating: 0, count: layers) }
    return try fields.counts(Self.field, ofLevel: level, of: levels, layers: layers, default: 1)
  }

  /// - Parameter level: counted from the lowest resolution.
  func up(_ level: Int, layers: Int, attends: Bool) throws(ModelError) -> [Int] {
    guard attends else { return Array(repeating: 0, count: layers) }
    guard fields[Self.reversedField] == nil else {
      return try fields.counts(Self.reversedField, ofLevel: level, of: levels, layers: layers, default: 1)
    }
    return try fields.counts(
      Self.field, ofLevel: levels - 1 - level, of: levels, layers: layers, default: 1)
  }

  /// That of the first layer of the lowest level.
  func middle() throws(ModelError) -> Int {
    try fields.counts(Self.field, ofLevel: levels - 1, of: levels, layers: 1, default: 1)[0]
  }
}
