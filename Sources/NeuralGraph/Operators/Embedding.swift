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

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    guard !wanted[1] else { throw .notDifferentiable(op: "Embedding", input: "ids") }
    let dTable = EmbeddingDTable(entries: g.shape(node.inputs[0])[0])
    return [try g.emit(dTable, [node.inputs[1], dOut[0]!])[0], nil]
  }
}

/// dTable[v] = Σ dy[i] over the rows i with ids[i] = v; of entries that no row names exactly 0.
///
/// inputs   ids `[rows]`, dy `[rows, C]`
/// outputs  dTable `[V, C]`
struct EmbeddingDTable: Op {
  /// V
  var entries: Int

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let (ids, dy) = (inputs[0], inputs[1].shape)
    guard ids.element == .i32, ids.shape.count == 1, dy.count == 2, dy[0] == ids.shape[0] else {
      throw misfit(inputs)
    }
    return [TensorType([entries, dy[1]])]
  }

  func run(_ io: borrowing OpIO) { embeddingDTable(ids: io[in: 0], dy: io[in: 1], into: io[out: 0]) }
}

extension Scope {
  /// `weight` `[entries, width]` of this scope, looked up by `ids` `[rows]`.
  package func embedding(_ ids: Value, entries: Int, width: Int) throws(GraphError) -> Value {
    try emit(Embedding(), [weight("weight", [entries, width], .table), ids])[0]
  }
}
