import Kernels
import Tensors

/// Group normalization over channels-last pictures (Wu & He 2018).
///
///     y = γ·x̂ + β,  x̂ = (x − μ)/σ,  μ and σ over the pixels and channels of one group
///
/// inputs   x `[H, W, C]`, gamma `[C]`, beta `[C]`
/// outputs  y `[H, W, C]`, stats `[groups, 2]` = (μ, 1/σ), read again by the backward pass
struct GroupNorm: Op {
  var groups: Int
  var epsilon: Float

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let shape = inputs[0].shape
    guard shape.count == 3, shape[2] % groups == 0, inputs[1].shape == [shape[2]], inputs[2] == inputs[1]
    else { throw misfit(inputs) }
    return [inputs[0], TensorType([groups, 2])]
  }

  func run(_ io: borrowing OpIO) {
    Kernels.groupNorm(
      io[in: 0], gamma: io[in: 1], beta: io[in: 2], groups: groups, epsilon: epsilon, into: io[out: 0],
      stats: io[out: 1], io.pool)
  }

  var statistics: [String] { ["stats"] }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    let (x, gamma, stats, dy) = (node.inputs[0], node.inputs[1], node.outputs[1], dOut[0]!)
    let dx = wanted[0] ? try g.emit(GroupNormDX(groups: groups), [x, stats, gamma, dy])[0] : nil
    guard wanted[1] || wanted[2] else { return [dx, nil, nil] }
    let parameters = try g.emit(GroupNormDParameters(groups: groups), [x, stats, dy])
    return [dx, parameters[0], parameters[1]]
  }
}

/// (μ, 1/σ) of every group: what a layer has to know of the whole picture before it normalizes its rows one by one
/// (`LayerFusion`). The gradient goes through that layer.
///
/// inputs   x `[H, W, C]`
/// outputs  stats `[groups, 2]`
struct GroupStatistics: Op {
  var groups: Int
  var epsilon: Float

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard inputs[0].shape.count == 3, inputs[0].shape[2] % groups == 0 else { throw misfit(inputs) }
    return [TensorType([groups, 2])]
  }

  func run(_ io: borrowing OpIO) {
    groupStatistics(io[in: 0], groups: groups, epsilon: epsilon, into: io[out: 0], io.pool)
  }
}

/// y = γ·(x − μ)/σ + β by statistics that are there, for a backward pass that needs y again.
///
/// inputs   x `[H, W, C]`, stats `[groups, 2]`, gamma `[C]`, beta `[C]`
/// outputs  y `[H, W, C]`
struct ApplyGroupNorm: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] { [inputs[0]] }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    prologueScratchBytes(channels: inputs[0].shape.last!, threads: threads)
  }

  func run(_ io: borrowing OpIO) {
    prepareRows(
      io[in: 0], Prologue(.groups(stats: io[in: 1], gamma: io[in: 2], beta: io[in: 3])), into: io[out: 0],
      scratch: io.scratch, io.pool)
  }
}

/// dx = (v − mean(v) − x̂·mean(v·x̂))/σ  with  v = dy·γ, means over one group.
///
/// inputs   x `[H, W, C]`, stats `[groups, 2]`, gamma `[C]`, dy `[H, W, C]`
/// outputs  dx `[H, W, C]`
struct GroupNormDX: Op {
  var groups: Int

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard inputs[0] == inputs[3], inputs[1].shape == [groups, 2] else { throw misfit(inputs) }
    return [inputs[0]]
  }

  func run(_ io: borrowing OpIO) {
    groupNormDX(
      io[in: 0], stats: io[in: 1], gamma: io[in: 2], dy: io[in: 3], into: io[out: 0], io.pool)
  }
}

/// dγ = Σ dy·x̂ and dβ = Σ dy over the pixels.
///
/// inputs   x `[H, W, C]`, stats `[groups, 2]`, dy `[H, W, C]`
/// outputs  dGamma `[C]`, dBeta `[C]`
struct GroupNormDParameters: Op {
  var groups: Int

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard inputs[0] == inputs[2], inputs[1].shape == [groups, 2] else { throw misfit(inputs) }
    return [TensorType([inputs[0].shape[2]]), TensorType([inputs[0].shape[2]])]
  }

  func run(_ io: borrowing OpIO) {
    groupNormDParameters(
      io[in: 0], stats: io[in: 1], dy: io[in: 2], intoGamma: io[out: 0], beta: io[out: 1], io.pool)
  }
}

extension Scope {
  /// `weight` (γ) and `bias` (β) of this scope.
  package func groupNorm(_ x: Value, groups: Int, epsilon: Float = 1e-5) throws(GraphError) -> Value {
    try emit(GroupNorm(groups: groups, epsilon: epsilon), [x] + normParameters(x))[0]
  }
}
