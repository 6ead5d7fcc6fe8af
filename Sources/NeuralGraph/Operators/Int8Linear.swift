import Kernels
import Tensors

/// Linear layer on bytes: rows of x are quantized as they come, the weight once and for all.
///
///     y[n] = b[n] + scale[n]·s·Σ_k q[k]·W[n, k],  x ≈ s·q,  s = max|x|/127 over one row
///
/// With a rotation, x stands for H·x in this formula, and the weight was stored as W·H.
///
/// inputs   x `[…, K]`, weight s8 panels `[N, K]`, scales `[N]`, bias `[N]` (may be left out)
/// outputs  y `[…, N]`
struct Int8Linear: Op {
  /// Width of the groups of channels that are rotated.
  var rotation: Int?

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let (x, weight) = (inputs[0], inputs[1])
    guard isInt8Weight(weight, scales: inputs[2], dimensions: 2, rotation), x.shape.last == weight.shape[1],
      inputs.count == 3 || inputs[3].shape == [weight.shape[0]]
    else { throw misfit(inputs) }
    return [TensorType(x.shape.dropLast() + [weight.shape[0]])]
  }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    let product = int8LinearScratchBytes(x: inputs[0], weight: inputs[1], threads: threads)
    return quantizedRowsBytes(inputs[0], rotation, andThen: product, threads: threads)
  }

  func run(_ io: borrowing OpIO) {
    let x = io.quantized(io[in: 0], rotation)
    linear(
      x.rows, weight: io.int8Weight, bias: io[optional: 3], into: io[out: 0], scratch: x.scratch, io.pool)
  }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    try byteLayerVJP(self, Int8LinearDX(rotation: rotation), node, dOut[0]!, wanted, g)
  }

  func multiplyAdds(_ inputs: [TensorType]) -> Int { inputs[0].count * inputs[1].shape[0] }
}

/// dx = dy·W with the weight that the forward pass multiplied by, W = scale·q. dy stays in floats and the
/// rounding of x counts as none. A rotation is undone by itself at the end: dx = H·(dy·(W·H)).
///
/// inputs   dy `[…, N]`, weight s8 panels `[N, K]`, scales `[N]`
/// outputs  dx `[…, K]`
struct Int8LinearDX: Op {
  var rotation: Int?

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let (dy, weight) = (inputs[0], inputs[1])
    guard isInt8Weight(weight, scales: inputs[2], dimensions: 2, rotation), dy.shape.last == weight.shape[0]
    else {
      throw misfit(inputs)
    }
    return [TensorType(dy.shape.dropLast() + [weight.shape[1]])]
  }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    linearDXScratchBytes(dy: inputs[0], weight: inputs[1], threads: threads)
  }

  func run(_ io: borrowing OpIO) {
    linearDX(io[in: 0], weight: io.int8Weight, into: io[out: 0], scratch: io.scratch, io.pool)
    if let rotation { rotateRows(io[out: 0], width: rotation, io.pool) }
  }

  func multiplyAdds(_ inputs: [TensorType]) -> Int { inputs[0].count * inputs[1].shape[1] }
}

/// The rule of a layer on bytes: a gradient to x alone, from dy, weight and scales.
func byteLayerVJP(
  _ layer: some Op, _ dx: some Op, _ node: Node, _ dy: Value, _ wanted: [Bool], _ g: Scope
) throws(GraphError) -> [Value?] {
  guard !wanted.dropFirst().contains(true) else {
    throw .notDifferentiable(op: "\(type(of: layer))", input: "weight, scales or bias")
  }
  return [try g.emit(dx, [dy, node.inputs[1], node.inputs[2]])[0]] + node.inputs.dropFirst().map { _ in nil }
}

extension OpIO {
  /// Inputs 1 and 2 of the int8 operators.
  var int8Weight: Int8Weight { Int8Weight(panels: self[in: 1], scales: self[in: 2]) }

  /// x, rotated if wanted, as bytes at the front of scratch, and the scratch behind them.
  func quantized(_ x: TensorRef, _ rotation: Int?) -> (rows: Int8Rows, scratch: UnsafeMutableRawPointer) {
    let rows = Int8Rows(x.type, at: scratch)
    let rest = scratch + Int8Rows.byteCount(x.type)
    if let rotation {
      quantizeRows(x, rotatedBy: rotation, into: rows, scratch: rest, pool)
    } else {
      quantizeRows(x, into: rows, pool)
    }
    return (rows, rest)
  }
}

/// Scratch for `OpIO.quantized` and a product that needs `bytes` after it.
func quantizedRowsBytes(_ x: TensorType, _ rotation: Int?, andThen bytes: Int, threads: Int) -> Int {
  Int8Rows.byteCount(x) + max(bytes, rotation == nil ? 0 : rotationScratchBytes(x, threads: threads))
}

/// Whether a value and its scales are what the int8 operators multiply by, and whether its input can be rotated so.
func isInt8Weight(_ weight: TensorType, scales: TensorType, dimensions: Int, _ rotation: Int?) -> Bool {
  weight.element == .s8 && weight.layout == .panels && weight.shape.count == dimensions
    && scales == TensorType([weight.shape[0]])
    && rotation.map { canRotate(channels: weight.shape.last!, width: $0) } != false
}

extension Scope {
  /// The inputs after x: `name`, its scales, which the checkpoint has under `name.scale`, and the bias.
  func int8Weight(_ name: String, _ shape: [Int], _ role: WeightRole, bias: Bool = true) -> [Value] {
    let weight = [weight(name, shape, role), weight("\(name).scale", [shape[0]], .vector)]
    return bias ? weight + [self.weight("bias", [shape[0]], .vector)] : weight
  }

  func byteLinear(_ x: Value, to outputs: Int, bias: Bool) throws(GraphError) -> Value {
    let inputs = [x] + int8Weight("weight", [outputs, channels(x)], .matrix, bias: bias)
    let rotation = format("weight").rotation
    return try builder.keepsFloats
      ? emit(DequantizedLinear(rotation: rotation), inputs)[0]
      : emit(Int8Linear(rotation: rotation), inputs)[0]
  }
}
