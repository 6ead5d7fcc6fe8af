import Kernels
import Tensors

/// Nearest-neighbour enlargement: y[i, j] = x[⌊i·H/H'⌋, ⌊j·W/W'⌋].
///
/// inputs   x `[H, W, C]`
/// outputs  y `[H', W', C]`
struct UpsampleNearest: Op {
  var height: Int
  var width: Int

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard inputs[0].shape.count == 3 else { throw misfit(inputs) }
    return [TensorType([height, width, inputs[0].shape[2]])]
  }
  func run(_ io: borrowing OpIO) { Kernels.upsampleNearest(io[in: 0], into: io[out: 0], io.pool) }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    let shape = g.shape(node.inputs[0])
    return try g.emit(UpsampleNearestDX(height: shape[0], width: shape[1]), [dOut[0]!])
  }
}

/// dx[i, j] = Σ dy over the copies of pixel (i, j).
///
/// inputs   dy `[H', W', C]`, H' ≥ H, W' ≥ W
/// outputs  dx `[H, W, C]`
struct UpsampleNearestDX: Op {
  var height: Int
  var width: Int

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let shape = inputs[0].shape
    guard shape.count == 3, shape[0] >= height, shape[1] >= width else { throw misfit(inputs) }
    return [TensorType([height, width, shape[2]])]
  }

  func run(_ io: borrowing OpIO) { upsampleNearestDX(io[in: 0], into: io[out: 0], io.pool) }
}

extension Scope {
  package func upsampleNearest(_ x: Value, height: Int, width: Int) throws(GraphError) -> Value {
    try emit(UpsampleNearest(height: height, width: width), [x])[0]
  }
}
