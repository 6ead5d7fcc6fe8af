import Kernels
import Tensors

/// `Attention` on bytes: queries and keys with a scale for each row of a head, probabilities of 14 bits, values with a
/// scale for each channel and tile of keys, integer sums.
///
/// inputs   q `[…, C]`, k `[…, C]`, v `[…, C]` (rows of q: queries; of k and v: keys)
/// outputs  o of q's shape
struct Int8Attention: Op {
  var heads: Int

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let c = inputs[0].shape.last!
    guard inputs[1].shape.last == c, inputs[2] == inputs[1], c % heads == 0 else { throw misfit(inputs) }
    return [inputs[0]]
  }

  /// A query is read before its row is written, keys and values before all of them.
  func overwritten(of inputs: Int) -> Int? { 0 }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    int8AttentionScratchBytes(q: inputs[0].rows, k: inputs[1].rows, heads: heads, threads: threads)
  }

  func run(_ io: borrowing OpIO) {
    int8Attention(
      io[in: 0].rows, k: io[in: 1].rows, v: io[in: 2].rows, heads: heads, into: io[out: 0].rows,
      scratch: io.scratch, io.pool)
  }

  func multiplyAdds(_ inputs: [TensorType]) -> Int { 2 * attentionProduct(inputs) }

  /// The gradient of the attention of floats, as for every layer on bytes: rounding counts as none. What that keeps for its
  /// backward pass is computed here, since a network that is differentiated `keepsFloats` and emits `Attention` itself.
  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    let exact = Attention(heads: heads, causal: false)
    let outputs = try g.emit(exact, node.inputs)
    let floats = Node(op: exact, inputs: node.inputs, outputs: outputs, block: node.block)
    return try exact.vjp(floats, dOut: [dOut[0], nil], wanted: wanted, g)
  }
}

extension Graph {
  /// `int8` where an attention computes in bytes; nil where there is no attention.
  package var attention: AttentionArithmetic? {
    if nodes.contains(where: { $0.op is Int8Attention }) { return .int8 }
    return nodes.contains { $0.op is Attention } ? .float : nil
  }
}

extension Scope {
  /// Whether the layer in this place has a weight of bytes and may quantize what it multiplies it by.
  package var multipliesBytes: Bool { !builder.lowering.keepsFloats && format("weight").element == .s8 }
}
