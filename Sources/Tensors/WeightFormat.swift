/// How a model's files store the weight of a layer.
public struct WeightFormat: Hashable, Sendable {
  public var element: ElementType
  /// Width of the groups of input channels that an orthogonal rotation was folded into, of int8 weights that have
  /// outlier channels; the layer's input has to be rotated alike before it is quantized.
  public var rotation: Int?

  public init(_ element: ElementType, rotation: Int? = nil) {
    (self.element, self.rotation) = (element, rotation)
  }
}
