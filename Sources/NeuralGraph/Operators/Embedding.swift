import Kernels
import Tensors

/// Rows of a table: y[i] = table[ids[i]].
///
/// inputs   table `[V, C]`, ids `[rows]` (i32, each in 0..<V: the tokenizer sees to it)
/// outputs  y `[rows, C]`
struct Embedding: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard inputs[0].shape.count == 2, inputs[1].shape.count == 1, inputs[1].element == .i32 else {
      throw misfit(inputs)
    }
    return [TensorType([inputs[1].shape[0], inputs[0].shape[1]])]
  }
  func run(_ io: borrowing OpIO) {
    Kernels.embedding(table: io[in: 0], ids: io[in: 1], into: io[out: 0], io.pool)
  }
}

extension Scope {
  /// `weight` `[entries, width]` of this scope, looked up by `ids` `[rows]`.
  package func embedding(_ ids: Value, entries: Int, width: Int) throws(GraphError) -> Value {
    try emit(Embedding(), [weight("weight", [entries, width], .table), ids])[0]
  }
}
