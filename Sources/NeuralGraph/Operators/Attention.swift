import Kernels
import Tensors

/// Scaled dot-product attention of every head (Vaswani et al. 2017, eq. 1), with a running softmax over tiles
/// of keys (Dao et al. 2022): no score matrix is ever stored.
///
///     o = softmax(q·kᵀ/√d)·v,  d = C/heads;  causal: row i sees keys 0…i only
///
/// inputs   q `[…, C]`, k `[…, C]`, v `[…, C]` (rows of q: queries; of k and v: keys)
/// outputs  o of q's shape, logSum `[heads, queries]` = log Σ exp(scores), read again by the backward pass
struct Attention: Op {
  var heads: Int
  var causal: Bool

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let c = inputs[0].shape.last!
    guard inputs[1].shape.last == c, inputs[2] == inputs[1], c % heads == 0,
      !causal || inputs[0].count == inputs[1].count
    else { throw misfit(inputs) }
    return [inputs[0], TensorType([heads, inputs[0].count / c])]
  }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    attentionScratchBytes(q: inputs[0].rows, k: inputs[1].rows, heads: heads, threads: threads)
  }

  func run(_ io: borrowing OpIO) {
    attention(
      io[in: 0].rows, k: io[in: 1].rows, v: io[in: 2].rows, heads: heads, causal: causal,
      into: io[out: 0].rows, logSum: io[out: 1], scratch: io.scratch, io.pool)
  }

  var statistics: [String] { ["logSum"] }

  /// q·kᵀ and the sum of v; with `causal` what is masked is counted, and mostly computed, all the same.
  func multiplyAdds(_ inputs: [TensorType]) -> Int { 2 * attentionProduct(inputs) }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    let saved = node.inputs + [node.outputs[0], node.outputs[1], dOut[0]!]
    if wanted[0] && (wanted[1] || wanted[2]) {
      let all = try g.emit(AttentionDQKV(heads: heads, causal: causal), saved)
      return [all[0], all[1], all[2]]
    }
    let dq = wanted[0] ? try g.emit(AttentionDQ(heads: heads, causal: causal), saved)[0] : nil
    guard wanted[1] || wanted[2] else { return [dq, nil, nil] }
    let dkv = try g.emit(AttentionDKV(heads: heads, causal: causal), saved)
    return [dq, dkv[0], dkv[1]]
  }
}

/// dq = dS·k/√d  with  dS = P∘(dP − rowsum(dO∘o)), dP = dO·vᵀ; P from q, k and logSum, tile by tile.
///
/// inputs   q, k, v, o, logSum, dO
/// outputs  dq
struct AttentionDQ: Op {
  var heads: Int
  var causal: Bool

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] { [inputs[0]] }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    attentionGradientScratchBytes(q: inputs[0].rows, k: inputs[1].rows, heads: heads, threads: threads)
  }

  func run(_ io: borrowing OpIO) {
    attentionDQ(
      io[in: 0].rows, k: io[in: 1].rows, v: io[in: 2].rows, o: io[in: 3].rows, logSum: io[in: 4],
      dO: io[in: 5].rows, heads: heads, causal: causal, into: io[out: 0].rows, scratch: io.scratch, io.pool)
  }

  /// Scores again, dP and dq.
  func multiplyAdds(_ inputs: [TensorType]) -> Int { 3 * attentionProduct(inputs) }
}

/// dk = dSᵀ·q/√d,  dv = Pᵀ·dO.
///
/// inputs   q, k, v, o, logSum, dO
/// outputs  dk, dv
struct AttentionDKV: Op {
  var heads: Int
  var causal: Bool

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] { [inputs[1], inputs[2]] }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    attentionGradientScratchBytes(q: inputs[0].rows, k: inputs[1].rows, heads: heads, threads: threads)
  }

  func run(_ io: borrowing OpIO) {
    attentionDKV(
      io[in: 0].rows, k: io[in: 1].rows, v: io[in: 2].rows, o: io[in: 3].rows, logSum: io[in: 4],
      dO: io[in: 5].rows, heads: heads, causal: causal, intoK: io[out: 0].rows, intoV: io[out: 1].rows,
      scratch: io.scratch, io.pool)
  }

  /// Scores again, dP, dk and dv.
  func multiplyAdds(_ inputs: [TensorType]) -> Int { 4 * attentionProduct(inputs) }
}

/// dq, dk and dv with the same formulas, to the bit, from scores that are rebuilt once.
///
/// inputs   q, k, v, o, logSum, dO
/// outputs  dq, dk, dv
struct AttentionDQKV: Op {
  var heads: Int
  var causal: Bool

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    [inputs[0], inputs[1], inputs[2]]
  }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    attentionDQKVScratchBytes(q: inputs[0].rows, k: inputs[1].rows, heads: heads, threads: threads)
  }

  func run(_ io: borrowing OpIO) {
    attentionDQKV(
      io[in: 0].rows, k: io[in: 1].rows, v: io[in: 2].rows, o: io[in: 3].rows, logSum: io[in: 4],
      dO: io[in: 5].rows, heads: heads, causal: causal, intoQ: io[out: 0].rows, intoK: io[out: 1].rows,
      intoV: io[out: 2].rows, scratch: io.scratch, io.pool)
  }

  /// Scores again, dP, dq, dk and dv.
  func multiplyAdds(_ inputs: [TensorType]) -> Int { 5 * attentionProduct(inputs) }
}

/// Multiplications of one product of all queries `[…, C]` with all keys `[…, C]`.
func attentionProduct(_ inputs: [TensorType]) -> Int {
  inputs[0].count * inputs[1].count / inputs[0].shape.last!
}

extension Scope {
  /// Attention without its projections.
  package func attention(
    _ q: Value, _ k: Value, _ v: Value, heads: Int, causal: Bool = false
  ) throws(GraphError) -> Value {
    try emit(Attention(heads: heads, causal: causal), [q, k, v])[0]
  }

  /// Attention without its projections and without probabilities to collect: on bytes where these layers or others of the
  /// network are, and the builder does not want floats.
  package func attention(
    _ q: Value, _ k: Value, _ v: Value, heads: Int, behind projections: [Scope]
  ) throws(GraphError) -> Value {
    guard builder.attendsInBytes(projections) else {
      return try attention(q, k, v, heads: heads)
    }
    return try emit(Int8Attention(heads: heads), [q, k, v])[0]
  }
}
