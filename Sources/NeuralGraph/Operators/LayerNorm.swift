import Kernels
import Tensors

/// Layer normalization of every row (Ba et al. 2016).
///
///     y = γ·x̂ + β,  x̂ = (x − μ)/σ,  μ and σ over the channels of one row
///
/// inputs   x `[…, C]`, gamma `[C]`, beta `[C]`
/// outputs  y `[…, C]`, stats `[rows, 2]` = (μ, 1/σ)
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
}

extension Scope {
  /// `weight` (γ) and `bias` (β) of this scope.
  package func layerNorm(_ x: Value, epsilon: Float = 1e-5) throws(GraphError) -> Value {
    let c = [channels(x)]
    return try emit(
      LayerNorm(epsilon: epsilon), [x, weight("weight", c, .vector), weight("bias", c, .vector)])[0]
  }
}
