/// How a model's files store the weight of a layer.
public struct WeightFormat: Hashable, Sendable {
  public var element: ElementType
  /// Width of the groups of input channels that an orthogonal rotation was folded into, of int8 weights that have
  /// outlier channels; the layer's input has to be rotated alike before it is quantized.
  public var rotation: Int?
  /// Of int8 weights: what the layer's input is quantized to.
  public var activations: ActivationBits

  public init(_ element: ElementType, rotation: Int? = nil, activations: ActivationBits = .eight) {
    (self.element, self.rotation, self.activations) = (element, rotation, activations)
  }
}

/// Bits of every value that an int8 weight is multiplied by.
public enum ActivationBits: Int, Hashable, Sendable {
  case eight = 8
  case sixteen = 16
}
