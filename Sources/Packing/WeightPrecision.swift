import NeuralGraph
import Tensors

/// What a container's weights are stored as. Some stay wider than asked for, see `SensitiveLayers`.
public enum WeightPrecision: String, Sendable, Codable, CaseIterable {
  case int8, fp16, fp32
}

extension WeightPrecision {
  /// What a weight is stored as.
  ///
  /// Biases and norms are always f32, embeddings at most f16.
  ///
  /// - Parameter int8: how an int8 container has it.
  func format(for weight: Weight, int8: WeightFormat) -> WeightFormat {
    switch (weight.role, self) {
    case (.vector, _), (_, .fp32): WeightFormat(.f32)
    case (.table, _), (_, .fp16): WeightFormat(.f16)
    case (.matrix, .int8), (.convolution, .int8): int8
    }
  }
}
