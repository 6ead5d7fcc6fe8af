import Kernels
import Tensors

/// A picture in halves, every line with a power of two of its own.
///
/// inputs   x `[H, W, C]`
/// outputs  y `[H, W, C]` in halves
struct StoredLines: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard inputs[0].layout == .plain, inputs[0].element == .f32 else { throw misfit(inputs) }
    return [inputs[0].asScaledLines]
  }

  func run(_ io: borrowing OpIO) { storeLines(io[in: 0], from: 0, into: io[out: 0], io.pool) }

  /// Rounding counts as none.
  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] { dOut }
}

/// Lines that are stored in halves, as floats.
///
/// inputs   x `[H, W, C]` in halves
/// outputs  y `[H, W, C]`
struct LoadedLines: Op {
  var readsLines: Bool { true }

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard inputs[0].layout == .scaledLines else { throw misfit(inputs) }
    return [inputs[0].asFloats]
  }

  func run(_ io: borrowing OpIO) {
    loadLines(io[in: 0], 0..<io[in: 0].type.shape[0], into: io[out: 0], io.pool)
  }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] { dOut }
}
