import Kernels
import Tensors

/// r = scale·o + base, what a loss wants to be zero.
///
/// inputs   o, scale `[1]`, base of o's shape
/// outputs  r
struct Residual: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard inputs[0] == inputs[2], inputs[1] == TensorType([1]) else { throw misfit(inputs) }
    return [inputs[0]]
  }

  func run(_ io: borrowing OpIO) {
    addScaled(io[in: 2], io[in: 0], by: io[in: 1].scalar, into: io[out: 0], io.pool)
  }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    let (o, scale, dr) = (node.inputs[0], node.inputs[1], dOut[0]!)
    return [
      wanted[0] ? try g.emit(Scaled(), [dr, scale])[0] : nil,
      wanted[1] ? try g.emit(DotProduct(), [dr, o])[0] : nil,
      dr,
    ]
  }
}

/// L = weight·Σ r², summed in double.
///
/// inputs   r, weight `[1]`
/// outputs  L `[1]`
struct SquaredSum: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard inputs[1] == TensorType([1]) else { throw misfit(inputs) }
    return [TensorType([1])]
  }

  func run(_ io: borrowing OpIO) {
    fill(io[out: 0], with: Float(Double(io[in: 1].scalar) * dot(io[in: 0], io[in: 0], io.pool)))
  }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    let (r, weight, dL) = (node.inputs[0], node.inputs[1], dOut[0]!)
    let dr = wanted[0] ? try g.emit(Scaled(factor: 2), [r, weight, dL])[0] : nil
    let dWeight = wanted[1] ? try g.emit(Scaled(), [g.emit(DotProduct(), [r, r])[0], dL])[0] : nil
    return [dr, dWeight]
  }
}

/// y = factor·s₁·s₂·…·x
///
/// inputs   x, any number of s `[1]`
/// outputs  y of x's shape
struct Scaled: Op {
  var factor: Float = 1

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard inputs.dropFirst().allSatisfy({ $0 == TensorType([1]) }) else { throw misfit(inputs) }
    return [inputs[0]]
  }

  func run(_ io: borrowing OpIO) {
    let by = io.inputs.dropFirst().reduce(factor) { $0 * $1.scalar }
    Kernels.scale(io[in: 0], by: by, into: io[out: 0], io.pool)
  }
}

/// y = factor·Σ a·b, summed in double.
///
/// inputs   a, b of one shape
/// outputs  y `[1]`
struct DotProduct: Op {
  var factor: Float = 1

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard inputs[0] == inputs[1] else { throw misfit(inputs) }
    return [TensorType([1])]
  }

  func run(_ io: borrowing OpIO) {
    fill(io[out: 0], with: Float(Double(factor) * dot(io[in: 0], io[in: 1], io.pool)))
  }
}

/// One value everywhere, such as ∂L/∂L = 1.
///
/// outputs  y `shape`
struct Constant: Op {
  var value: Float
  var shape: [Int]

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard inputs.isEmpty else { throw misfit(inputs) }
    return [TensorType(shape)]
  }

  func run(_ io: borrowing OpIO) { fill(io[out: 0], with: value) }
}

extension Scope {
  /// The residual r = scale·o + base and the loss L = weight·Σ r² of an output o; scale and weight are `[1]`.
  package func squaredError(
    of o: Value, scale: Value, base: Value, weight: Value
  ) throws(GraphError) -> (residual: Value, loss: Value) {
    let residual = try emit(Residual(), [o, scale, base])[0]
    return (residual, try emit(SquaredSum(), [residual, weight])[0])
  }

  /// The gradients of a loss `[1]`: as `gradient(of:seed:wrt:recomputing:)` with ∂L/∂L = 1.
  package func gradient(
    ofLoss loss: Value, wrt targets: [Value], recomputing: (Int) -> Bool = { _ in false }
  ) throws(GraphError) -> [Value?] {
    let one = try emit(Constant(value: 1, shape: shape(loss)), [])[0]
    return try gradient(of: loss, seed: one, wrt: targets, recomputing: recomputing)
  }
}
