import Kernels
import Tensors

/// Linear layer over the last dimension.
///
///     y = x·Wᵀ + b
///
/// inputs   x `[…, K]`, weight panels `[N, K]`, bias `[N]` (may be left out)
/// outputs  y `[…, N]`
struct Linear: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let (x, weight) = (inputs[0], inputs[1])
    guard weight.layout == .panels, weight.shape.count == 2, x.shape.last == weight.shape[1],
      inputs.count == 2 || inputs[2].shape == [weight.shape[0]]
    else { throw misfit(inputs) }
    return [TensorType(x.shape.dropLast() + [weight.shape[0]])]
  }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    linearScratchBytes(x: inputs[0], weight: inputs[1], threads: threads)
  }

  func run(_ io: borrowing OpIO) {
    linear(
      io[in: 0], weight: io[in: 1], bias: io[optional: 2], into: io[out: 0], scratch: io.scratch, io.pool)
  }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    let (x, weight, dy) = (node.inputs[0], node.inputs[1], dOut[0]!)
    let dx = wanted[0] ? try g.emit(LinearDX(), [dy, weight])[0] : nil
    let dW = wanted[1] ? try g.emit(LinearDW(), [x, dy])[0] : nil
    guard wanted.count > 2 else { return [dx, dW] }
    return [dx, dW, wanted[2] ? try g.emit(SumRows(), [dy])[0] : nil]
  }

  func multiplyAdds(_ inputs: [TensorType]) -> Int { inputs[0].count * inputs[1].shape[0] }
}

/// dx = dy·W, from the same panels as the forward pass.
///
/// inputs   dy `[…, N]`, weight panels `[N, K]`
/// outputs  dx `[…, K]`
struct LinearDX: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let (dy, weight) = (inputs[0], inputs[1])
    guard weight.layout == .panels, weight.shape.count == 2, dy.shape.last == weight.shape[0] else {
      throw misfit(inputs)
    }
    return [TensorType(dy.shape.dropLast() + [weight.shape[1]])]
  }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    linearDXScratchBytes(dy: inputs[0], weight: inputs[1], threads: threads)
  }

  func run(_ io: borrowing OpIO) {
    linearDX(io[in: 0], weight: io[in: 1], into: io[out: 0], scratch: io.scratch, io.pool)
  }

  func multiplyAdds(_ inputs: [TensorType]) -> Int { inputs[0].count * inputs[1].shape[1] }
}

/// dW = dyᵀ·x, plain.
///
/// inputs   x `[…, K]`, dy `[…, N]`
/// outputs  dW `[N, K]`
struct LinearDW: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let (x, dy) = (inputs[0].shape, inputs[1].shape)
    guard x.dropLast() == dy.dropLast() else { throw misfit(inputs) }
    return [TensorType([dy.last!, x.last!])]
  }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    linearDWScratchBytes(x: inputs[0], dy: inputs[1], threads: threads)
  }

  func run(_ io: borrowing OpIO) {
    linearDW(io[in: 0], dy: io[in: 1], into: io[out: 0], scratch: io.scratch, io.pool)
  }

  func multiplyAdds(_ inputs: [TensorType]) -> Int { inputs[0].count * inputs[1].shape.last! }
}

/// y[c] = Σ x[r, c] over all rows: the gradient of what is added to every row.
///
/// inputs   x `[…, C]`
/// outputs  y `[C]`, of a vector that is a row `[1, C]`
struct SumRows: Op {
  var isRow = false

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let c = inputs[0].shape.last!
    return [TensorType(isRow ? [1, c] : [c])]
  }

  func run(_ io: borrowing OpIO) { sumRows(io[in: 0], into: io[out: 0], io.pool) }
}

extension Scope {
  /// `weight` and `bias` of this scope applied to `[…, K]`.
  package func linear(_ x: Value, to outputs: Int, bias: Bool = true) throws(GraphError) -> Value {
    if format("weight").element == .s8 {
      return try adapted(byteLinear(x, to: outputs, bias: bias), from: x)
    }
    var inputs = [x, weight("weight", [outputs, channels(x)], .matrix)]
    if bias { inputs.append(weight("bias", [outputs], .vector)) }
    return try adapted(emit(Linear(), inputs)[0], from: x)
  }
}
