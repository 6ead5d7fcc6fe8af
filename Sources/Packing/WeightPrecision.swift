import FoundationEssentials
import NeuralGraph
import Tensors

/// What a container's weights are stored as. Some stay wider than asked for, see `element(for:of:)`.
public enum WeightPrecision: String, Sendable, Codable, CaseIterable {
  case int8, fp16, fp32
}

/// How the scale of an int8 weight's output is chosen.
public enum ScaleChoice: String, Sendable, Codable, CaseIterable {
  /// The largest weight becomes 127.
  case largest = "max-abs"
  /// The scale of the least squared error: large weights may be cut off where the others gain more by it.
  case leastError = "search"
}

extension WeightPrecision {
  /// What a weight is stored as.
  ///
  /// Biases and norms are always f32, embeddings at most f16. In an int8 container the layers of `sensitive` are f16,
  /// since an error there reaches everything behind it and they are small.
  ///
  /// - Parameters:
  ///   - weight: under its name in the component.
  ///   - kept: parts of names, component included, of weights that stay f16 too.
  func element(for weight: Weight, of component: String, keeping kept: [String] = []) -> ElementType {
    switch (weight.role, self) {
    case (.vector, _), (_, .fp32): .f32
    case (.table, _), (_, .fp16): .f16
    case (.matrix, .int8), (.convolution, .int8):
      Self.isSensitive(weight.name, of: component)
        || kept.contains { "\(component).\(weight.name)".contains($0) } ? .f16 : .s8
    }
  }

  private static func isSensitive(_ name: String, of component: String) -> Bool {
    sensitive.contains { place in
      component.hasPrefix(place.component) && name.split(separator: ".").contains { $0 == place.layer }
    }
  }

  /// Layers that int8 harms most, by any part of their names.
  private static let sensitive: [(component: String, layer: Substring)] = [
    ("unet", "conv_in"), ("unet", "conv_out"), ("unet", "time_embedding"), ("unet", "add_embedding"),
    ("unet", "time_emb_proj"), ("vae", "conv_in"), ("vae", "conv_out"), ("vae", "quant_conv"),
    ("vae", "post_quant_conv"), ("text_encoder", "text_projection"),
  ]
}
