import Kernels
import Tensors

/// Feature-wise modulation (Perez et al. 2018): every channel scaled and shifted, the same at every pixel.
///
///     y = x·(1 + γ) + δ
///
/// inputs   x `[…, C]`, gamma `[1, C]`, delta `[1, C]`
/// outputs  y `[…, C]`
struct Modulate: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard inputs[1].shape == [1, inputs[0].shape.last!], inputs[2] == inputs[1] else { throw misfit(inputs) }
    return [inputs[0]]
  }

  func run(_ io: borrowing OpIO) {
    Kernels.modulate(io[in: 0], gamma: io[in: 1], delta: io[in: 2], into: io[out: 0], io.pool)
  }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    let (x, gamma, dy) = (node.inputs[0], node.inputs[1], dOut[0]!)
    let dx = wanted[0] ? try g.emit(ModulateDX(), [gamma, dy])[0] : nil
    guard wanted[1] || wanted[2] else { return [dx, nil, nil] }
    let parameters = try g.emit(ModulateDParameters(), [x, dy])
    return [dx, parameters[0], parameters[1]]
  }
}

/// dx = dy·(1 + γ)
///
/// inputs   gamma `[1, C]`, dy `[…, C]`
/// outputs  dx `[…, C]`
struct ModulateDX: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard inputs[0].shape == [1, inputs[1].shape.last!] else { throw misfit(inputs) }
    return [inputs[1]]
  }

  func run(_ io: borrowing OpIO) {
    Kernels.modulate(io[in: 1], gamma: io[in: 0], delta: nil, into: io[out: 0], io.pool)
  }
}

/// dγ = Σ dy·x and dδ = Σ dy over the pixels.
///
/// inputs   x, dy `[…, C]`
/// outputs  dGamma `[1, C]`, dDelta `[1, C]`
struct ModulateDParameters: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard inputs[0] == inputs[1] else { throw misfit(inputs) }
    let vector = TensorType([1, inputs[0].shape.last!])
    return [vector, vector]
  }

  func run(_ io: borrowing OpIO) {
    modulateDParameters(
      io[in: 0], dy: io[in: 1], intoGamma: io[out: 0], delta: io[out: 1], io.pool)
  }
}

extension Scope {
  /// x·(1 + γ) + δ
  package func modulate(_ x: Value, gamma: Value, delta: Value) throws(GraphError) -> Value {
    try emit(Modulate(), [x, gamma, delta])[0]
  }
}
