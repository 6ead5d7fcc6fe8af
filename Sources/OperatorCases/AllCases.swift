extension OperatorCase {
  /// Every operator that a network may ask for.
  package static func all(_ sizes: Sizes) -> [OperatorCase] {
    layerCases(sizes) + fusedCases(sizes) + normAndAttentionCases(sizes) + elementwiseCases(sizes)
      + arrangingCases(sizes)
  }

  /// Operators without a gradient, by kind, and why nobody needs one.
  package static let withoutGradient = [
    "AttentionMap": "probabilities are read by methods and enter no loss",
    "Constant": "it depends on nothing",
    "Int8Projections": "gradient graphs compute in floats, with the operators that it stands for",
    "LoadedLines": "rounding to halves counts as none, so its gradient is that of its result",
    "PipelineResult": "gradient graphs have the convolutions that it stands for",
    "PipelineStatistics": "gradient graphs have the convolutions that it stands for",
    "StoredLines": "rounding to halves counts as none, so its gradient is that of its result",
  ]
}
