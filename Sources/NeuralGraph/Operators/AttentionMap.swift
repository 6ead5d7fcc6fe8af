import Kernels
import Tensors

/// The probabilities of one attention, averaged over its heads; computed again from what `Attention` keeps, and
/// only where somebody asks for them.
///
///     p = mean over heads of exp(q·kᵀ/√d − logSum)
///
/// inputs   q `[…, C]`, k `[…, C]`, logSum `[heads, queries]`
/// outputs  p `[queries, keys]`
struct AttentionMap: Op {
  var heads: Int

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let (q, k) = (inputs[0].rows, inputs[1].rows)
    guard q.shape[1] == k.shape[1], inputs[2].shape == [heads, q.shape[0]] else { throw misfit(inputs) }
    return [TensorType([q.shape[0], k.shape[0]])]
  }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    attentionProbabilitiesScratchBytes(q: inputs[0].rows, k: inputs[1].rows, heads: heads, threads: threads)
  }

  func run(_ io: borrowing OpIO) {
    attentionProbabilities(
      io[in: 0].rows, k: io[in: 1].rows, logSum: io[in: 2], heads: heads, into: io[out: 0],
      scratch: io.scratch, io.pool)
  }

  func multiplyAdds(_ inputs: [TensorType]) -> Int { attentionProduct(inputs) }
}

extension Scope {
  /// The probabilities of the attention that computed `attended`, averaged over its heads: `[queries, keys]`.
  package func attentionMap(of attended: Value) throws(GraphError) -> Value {
    guard case .node(let index) = builder.graph.origin(attended) else { preconditionFailure("no attention") }
    let node = builder.graph.nodes[index]
    guard let attention = node.op as? Attention else { preconditionFailure("\(node.op) is no attention") }
    return try emit(
      AttentionMap(heads: attention.heads), [node.inputs[0], node.inputs[1], node.outputs[1]])[0]
  }
}
