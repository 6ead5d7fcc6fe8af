import Tensors

/// A tensor in memory that somebody else owns, valid for one call. Alignment 64 bytes.
package struct TensorRef {
  package let type: TensorType
  package let address: UnsafeMutableRawPointer

  package init(_ type: TensorType, at address: UnsafeMutableRawPointer) {
    self.type = type
    self.address = address
  }
}
