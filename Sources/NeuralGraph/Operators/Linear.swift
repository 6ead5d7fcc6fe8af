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
    guard !wanted.dropFirst().contains(true) else {
      throw .notDifferentiable(op: "Linear", input: "weight or bias")
    }
    return [try g.emit(LinearDX(), [dOut[0]!, node.inputs[1]])[0]] + node.inputs.dropFirst().map { _ in nil }
  }
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
}

extension Scope {
  /// `weight` and `bias` of this scope applied to `[…, K]`.
  package func linear(_ x: Value, to outputs: Int, bias: Bool = true) throws(GraphError) -> Value {
    if format("weight").element == .s8 {
      return try adapted(int8Linear(x, to: outputs, bias: bias), from: x)
    }
    var inputs = [x, weight("weight", [outputs, channels(x)], .matrix)]
    if bias { inputs.append(weight("bias", [outputs], .vector)) }
    return try adapted(emit(Linear(), inputs)[0], from: x)
  }
}
