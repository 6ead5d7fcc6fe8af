import Kernels
import Tensors

/// Layer normalization of every row (Ba et al. 2016).
///
///     y = γ·x̂ + β,  x̂ = (x − μ)/σ,  μ and σ over the channels of one row
///
/// inputs   x `[…, C]`, gamma `[C]`, beta `[C]`
/// outputs  y `[…, C]`, stats `[rows, 2]` = (μ, 1/σ), read again by the backward pass
struct LayerNorm: Op {
  var epsilon: Float

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let x = inputs[0]
    guard inputs[1].shape == [x.shape.last!], inputs[2] == inputs[1] else { throw misfit(inputs) }
    return [x, TensorType([x.count / x.shape.last!, 2])]
  }

  func run(_ io: borrowing OpIO) {
    Kernels.layerNorm(
      io[in: 0].rows, gamma: io[in: 1], beta: io[in: 2], epsilon: epsilon, into: io[out: 0].rows,
      stats: io[out: 1], io.pool)
  }

  var statistics: [String] { ["stats"] }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    let (x, gamma, stats, dy) = (node.inputs[0], node.inputs[1], node.outputs[1], dOut[0]!)
    let dx = wanted[0] ? try g.emit(LayerNormDX(), [x, stats, gamma, dy])[0] : nil
    guard wanted[1] || wanted[2] else { return [dx, nil, nil] }
    let parameters = try g.emit(LayerNormDParameters(), [x, stats, dy])
    return [dx, parameters[0], parameters[1]]
  }
}

/// dx = (v − mean(v) − x̂·mean(v·x̂))/σ  with  v = dy·γ, means over one row.
///
/// inputs   x `[…, C]`, stats `[rows, 2]`, gamma `[C]`, dy `[…, C]`
/// outputs  dx `[…, C]`
struct LayerNormDX: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let x = inputs[0]
    guard x == inputs[3], inputs[1].shape == [x.count / x.shape.last!, 2] else { throw misfit(inputs) }
    return [x]
  }

  func run(_ io: borrowing OpIO) {
    layerNormDX(
      io[in: 0].rows, stats: io[in: 1], gamma: io[in: 2], dy: io[in: 3].rows, into: io[out: 0].rows, io.pool)
  }
}

/// dγ = Σ dy·x̂ and dβ = Σ dy over the rows.
///
/// inputs   x `[…, C]`, stats `[rows, 2]`, dy `[…, C]`
/// outputs  dGamma `[C]`, dBeta `[C]`
struct LayerNormDParameters: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let x = inputs[0]
    guard x == inputs[2], inputs[1].shape == [x.count / x.shape.last!, 2] else { throw misfit(inputs) }
    return [TensorType([x.shape.last!]), TensorType([x.shape.last!])]
  }

  func run(_ io: borrowing OpIO) {
    layerNormDParameters(
      io[in: 0].rows, stats: io[in: 1], dy: io[in: 2].rows, intoGamma: io[out: 0], beta: io[out: 1], io.pool)
  }
}

extension Scope {
  /// `weight` (γ) and `bias` (β) of this scope.
  package func layerNorm(_ x: Value, epsilon: Float = 1e-5) throws(GraphError) -> Value {
    let c = [channels(x)]
    return try emit(
      LayerNorm(epsilon: epsilon), [x, weight("weight", c, .vector), weight("bias", c, .vector)])[0]
  }
}
