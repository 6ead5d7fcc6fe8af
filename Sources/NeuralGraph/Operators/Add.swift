import Kernels
import Tensors

/// y = a + b, element by element; inputs and output share one shape.
struct Add: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard inputs[0] == inputs[1] else { throw misfit(inputs) }
    return [inputs[0]]
  }

  func run(_ io: borrowing OpIO) { Kernels.add(io[in: 0], io[in: 1], into: io[out: 0], io.pool) }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    [dOut[0], dOut[0]]
  }
}

/// y[p, c] = x[p, c] + v[c]: a vector added to every pixel or row, such as the time embedding.
///
/// inputs   x `[…, C]`, v `[1, C]`
/// outputs  y `[…, C]`
struct AddChannels: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard inputs[1].shape == [1, inputs[0].shape.last!] else { throw misfit(inputs) }
    return [inputs[0]]
  }

  func run(_ io: borrowing OpIO) { Kernels.addChannels(io[in: 0], io[in: 1], into: io[out: 0], io.pool) }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    [dOut[0], wanted[1] ? try g.emit(SumRows(isRow: true), [dOut[0]!])[0] : nil]
  }
}

extension Scope {
  package func add(_ a: Value, _ b: Value) throws(GraphError) -> Value { try emit(Add(), [a, b])[0] }

  package func addChannels(_ x: Value, _ v: Value) throws(GraphError) -> Value {
    try emit(AddChannels(), [x, v])[0]
  }
}
