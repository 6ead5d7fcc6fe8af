import Tensors

/// What a weight is used as; decides its layout in memory and the formats it may be stored in.
package enum WeightRole: Hashable, Sendable {
  /// Biases and the parameters of norms: always Float32.
  case vector
  /// Embeddings, rows looked up by index: plain, in the file's element type. An operator that reads one has the indices
  /// `[n]`, i32, as the input behind it, and may be given the n rows as the table and 0, 1, … as the indices.
  case table
  /// `[N, K]` of a linear layer: panels, in the file's element type.
  case matrix
  /// `[O, I, kh, kw]` of a convolution: panels with k = (ky, kx, channel), in the file's element type.
  case convolution
}

/// One tensor of the checkpoint that a graph reads.
package struct Weight: Hashable, Sendable {
  /// The checkpoint's key.
  package var name: String
  /// The shape that the checkpoint gives it.
  package var shape: [Int]
  package var role: WeightRole

  package init(name: String, shape: [Int], role: WeightRole) {
    self.name = name
    self.shape = shape
    self.role = role
  }

  /// What the operators see when the file stores it as `element`.
  package func type(storedAs element: ElementType) -> TensorType {
    switch role {
    case .vector: TensorType(shape)
    case .table: TensorType(shape, element: element)
    case .matrix: TensorType(shape, element: element, layout: .panels)
    case .convolution:
      TensorType([shape[0], shape[2], shape[3], shape[1]], element: element, layout: .panels)
    }
  }
}
