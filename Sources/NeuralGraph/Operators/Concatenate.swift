import Kernels
import Tensors

/// Channels of a, then channels of b.
///
/// inputs   a `[H, W, A]`, b `[H, W, B]`
/// outputs  y `[H, W, A + B]`
struct ConcatenateChannels: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard inputs[0].shape.dropLast() == inputs[1].shape.dropLast() else { throw misfit(inputs) }
    return [TensorType(inputs[0].shape.dropLast() + [inputs[0].shape.last! + inputs[1].shape.last!])]
  }
  func run(_ io: borrowing OpIO) { concatChannels(io[in: 0], io[in: 1], into: io[out: 0], io.pool) }
}

extension Scope {
  package func concatenate(_ a: Value, _ b: Value) throws(GraphError) -> Value {
    try emit(ConcatenateChannels(), [a, b])[0]
  }
}
