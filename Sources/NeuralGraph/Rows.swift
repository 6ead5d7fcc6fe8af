import Kernels
import Tensors

extension TensorType {
  /// `[…, C]` seen as `[rows, C]`: pixels and tokens are rows alike.
  var rows: TensorType {
    var flat = self
    flat.shape = [count / shape.last!, shape.last!]
    return flat
  }
}

extension TensorRef {
  var rows: TensorRef { TensorRef(type.rows, at: address) }
}
