import Kernels
import Tensors

/// A trained matrix, or the kernels of a convolution, as products read them.
///
/// inputs   w `[N, K]` or `[O, I, kh, kw]`, plain
/// outputs  the same in panels, `[N, K]` or `[O, kh, kw, I]`
///
/// The gradient of a value in panels is plain: it has the panels' shape.
struct Panels: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let shape = inputs[0].shape
    guard inputs[0] == TensorType(shape), shape.count == 2 || shape.count == 4 else { throw misfit(inputs) }
    return [
      Weight(name: "", shape: shape, role: shape.count == 2 ? .matrix : .convolution).type(storedAs: .f32)
    ]
  }

  func run(_ io: borrowing OpIO) {
    let (x, y) = (io[in: 0], io[out: 0])
    packPanels(
      UnsafeRawBufferPointer(start: x.address, count: x.type.byteCount), element: .f32,
      checkpointShape: x.type.shape, rows: 0..<x.type.shape[0],
      into: UnsafeMutableRawBufferPointer(start: y.address, count: y.type.byteCount), io.pool)
  }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    g.shape(node.inputs[0]).count == 2 ? dOut : try g.emit(CheckpointKernels(), [dOut[0]!])
  }
}

/// The kernels of a convolution in the order of checkpoints.
///
/// inputs   w `[O, kh, kw, I]`, plain
/// outputs  the same as `[O, I, kh, kw]`
struct CheckpointKernels: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let s = inputs[0].shape
    guard s.count == 4, inputs[0] == TensorType(s) else { throw misfit(inputs) }
    return [TensorType([s[0], s[3], s[1], s[2]])]
  }

  func run(_ io: borrowing OpIO) { checkpointKernels(io[in: 0], into: io[out: 0], io.pool) }
}
