import Kernels
import Tensors

/// y = x·σ(x) (sigmoid linear unit).
struct SiLU: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] { [inputs[0]] }
  func run(_ io: borrowing OpIO) { Kernels.silu(io[in: 0], into: io[out: 0], io.pool) }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    try g.emit(SiLUDX(), [node.inputs[0], dOut[0]!])
  }
}

/// dx = dy·σ(x)·(1 + x·(1 − σ(x)))
///
/// inputs   x, dy, of one shape
/// outputs  dx
struct SiLUDX: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard inputs[0] == inputs[1] else { throw misfit(inputs) }
    return [inputs[0]]
  }
  func run(_ io: borrowing OpIO) { siluDX(io[in: 0], dy: io[in: 1], into: io[out: 0], io.pool) }
}

/// y = x·Φ(x), Φ the normal distribution function (the exact form, with erf).
struct GELU: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] { [inputs[0]] }
  func run(_ io: borrowing OpIO) { Kernels.gelu(io[in: 0], into: io[out: 0], io.pool) }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    try g.emit(GELUDX(), [node.inputs[0], dOut[0]!])
  }
}

/// dx = dy·(Φ(x) + x·φ(x)), φ the density of Φ.
///
/// inputs   x, dy, of one shape
/// outputs  dx
struct GELUDX: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard inputs[0] == inputs[1] else { throw misfit(inputs) }
    return [inputs[0]]
  }
  func run(_ io: borrowing OpIO) { geluDX(io[in: 0], dy: io[in: 1], into: io[out: 0], io.pool) }
}

/// y = x·σ(1.702·x), the approximation of GELU that CLIP was trained with.
struct QuickGELU: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] { [inputs[0]] }
  func run(_ io: borrowing OpIO) { Kernels.quickGELU(io[in: 0], into: io[out: 0], io.pool) }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    try g.emit(QuickGELUDX(), [node.inputs[0], dOut[0]!])
  }
}

/// dx = dy·σ(c·x)·(1 + c·x·(1 − σ(c·x))),  c = 1.702.
///
/// inputs   x, dy, of one shape
/// outputs  dx
struct QuickGELUDX: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard inputs[0] == inputs[1] else { throw misfit(inputs) }
    return [inputs[0]]
  }
  func run(_ io: borrowing OpIO) { quickGELUDX(io[in: 0], dy: io[in: 1], into: io[out: 0], io.pool) }
}

/// y = max(x, 0).
struct ReLU: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] { [inputs[0]] }
  func overwritten(of inputs: Int) -> Int? { 0 }
  func run(_ io: borrowing OpIO) { Kernels.relu(io[in: 0], into: io[out: 0], io.pool) }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    try g.emit(ReLUDX(), [node.inputs[0], dOut[0]!])
  }
}

/// dx = dy where x > 0, otherwise 0.
///
/// inputs   x, dy, of one shape
/// outputs  dx
struct ReLUDX: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard inputs[0] == inputs[1] else { throw misfit(inputs) }
    return [inputs[0]]
  }
  func run(_ io: borrowing OpIO) { reluDX(io[in: 0], dy: io[in: 1], into: io[out: 0], io.pool) }
}

/// y = by·x + plus, a change of units.
struct Affine: Op {
  var by: Float
  var plus: Float

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] { [inputs[0]] }
  func run(_ io: borrowing OpIO) {
    Kernels.affine(io[in: 0], by: by, plus: plus, into: io[out: 0], io.pool)
  }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    try g.emit(Scaled(factor: by), [dOut[0]!])
  }
}

/// y = limit·tanh(x/limit): x where it is small, never beyond ±limit.
struct SoftLimit: Op {
  var limit: Float

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] { [inputs[0]] }
  func run(_ io: borrowing OpIO) { Kernels.softLimit(io[in: 0], to: limit, into: io[out: 0], io.pool) }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    try g.emit(SoftLimitDX(limit: limit), [node.outputs[0], dOut[0]!])
  }
}

/// dx = dy·(1 − (y/limit)²)
///
/// inputs   y, the limited value, dy, of one shape
/// outputs  dx
struct SoftLimitDX: Op {
  var limit: Float

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard inputs[0] == inputs[1] else { throw misfit(inputs) }
    return [inputs[0]]
  }
  func run(_ io: borrowing OpIO) {
    softLimitDX(io[in: 0], dy: io[in: 1], to: limit, into: io[out: 0], io.pool)
  }
}

/// Gated GELU (Shazeer 2020): the first half of the channels times the GELU of the second half.
///
/// inputs   x `[…, 2C]`
/// outputs  y `[…, C]`
struct GEGLU: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let shape = inputs[0].shape
    guard shape.last! % 2 == 0 else { throw misfit(inputs) }
    return [TensorType(shape.dropLast() + [shape.last! / 2])]
  }
  func run(_ io: borrowing OpIO) { Kernels.geglu(io[in: 0].rows, into: io[out: 0].rows, io.pool) }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    try g.emit(GEGLUDX(), [node.inputs[0], dOut[0]!])
  }
}

/// dx = (dy·gelu(gate), dy·value·gelu′(gate)) with x = (value, gate).
///
/// inputs   x `[…, 2C]`, dy `[…, C]`
/// outputs  dx `[…, 2C]`
struct GEGLUDX: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard try GEGLU().outputTypes([inputs[0]]) == [inputs[1]] else { throw misfit(inputs) }
    return [inputs[0]]
  }
  // The widest activation of a network: at the peak of its backward pass it would be there twice.
  func overwritten(of inputs: Int) -> Int? { 0 }
  func run(_ io: borrowing OpIO) {
    gegluDX(io[in: 0].rows, dy: io[in: 1].rows, into: io[out: 0].rows, io.pool)
  }
}

extension Scope {
  package func silu(_ x: Value) throws(GraphError) -> Value { try emit(SiLU(), [x])[0] }
  package func gelu(_ x: Value) throws(GraphError) -> Value { try emit(GELU(), [x])[0] }
  package func quickGELU(_ x: Value) throws(GraphError) -> Value { try emit(QuickGELU(), [x])[0] }
  package func relu(_ x: Value) throws(GraphError) -> Value { try emit(ReLU(), [x])[0] }
  package func affine(_ x: Value, by: Float, plus: Float) throws(GraphError) -> Value {
    try emit(Affine(by: by, plus: plus), [x])[0]
  }
  package func softLimit(_ x: Value, to limit: Float) throws(GraphError) -> Value {
    try emit(SoftLimit(limit: limit), [x])[0]
  }
  package func geglu(_ x: Value) throws(GraphError) -> Value { try emit(GEGLU(), [x])[0] }
}
