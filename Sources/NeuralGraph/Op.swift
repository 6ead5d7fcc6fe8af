import Kernels
import Tensors

/// An operator: its shape rule, its forward computation and the rule that emits its gradient.
///
/// One file each in `Operators/`, the operators of its gradient below it.
package protocol Op: Sendable {
  /// What the outputs are, or why these inputs do not fit.
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType]

  /// Bytes of working memory that `run` needs with this many threads; 64-byte aligned, contents undefined.
  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int

  /// Products that `run` adds up; 0 where they do not count beside those of a layer.
  func multiplyAdds(_ inputs: [TensorType]) -> Int

  /// Names of the outputs behind the first, which are kept for the backward pass and have no gradient themselves.
  var statistics: [String] { get }

  /// The input, of so many, whose memory the first output may take where nobody reads that input later; both have as
  /// many bytes.
  func overwritten(of inputs: Int) -> Int?

  /// Whether inputs may be lines in halves (`Layout.scaledLines`); others get them as floats.
  var readsLines: Bool { get }

  /// An input, of another size perhaps, that may begin within the memory of the first output where nobody reads it later.
  var overlay: Overlay? { get }

  /// Computes the outputs. Cannot fail: shapes were checked when the node was emitted.
  func run(_ io: borrowing OpIO)

  /// Emits nodes that compute the gradients of the inputs in `wanted`. `dOut[i]` is nil where none arrives.
  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?]
}

extension Op {
  package func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int { 0 }
  package func multiplyAdds(_ inputs: [TensorType]) -> Int { 0 }
  package var statistics: [String] { [] }
  package func overwritten(of inputs: Int) -> Int? { nil }
  package var readsLines: Bool { false }
  package var overlay: Overlay? { nil }

  /// Operators of the backward pass, and those whose gradient no method needs, have none.
  package func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    throw .notDifferentiable(op: "\(Self.self)", input: "any")
  }

  /// The error of a shape rule.
  func misfit(_ inputs: [TensorType]) -> GraphError { .shape(op: "\(Self.self)", got: inputs) }
}

/// An input that an operator reads from the front to the back, ahead of what it writes: with enough distance, no byte of
/// the output comes to lie over one that is still to be read.
package struct Overlay: Hashable, Sendable {
  package var input: Int
  /// Bytes from the start of the output to that of the input, at least.
  package var distance: Int

  package init(input: Int, distance: Int) { (self.input, self.distance) = (input, distance) }
}

/// What an operator may touch during one `run`.
package struct OpIO: ~Copyable {
  package let inputs: [TensorRef]
  package let outputs: [TensorRef]
  package let scratch: UnsafeMutableRawPointer
  package let pool: ThreadPool

  package init(
    inputs: [TensorRef], outputs: [TensorRef], scratch: UnsafeMutableRawPointer, pool: ThreadPool
  ) {
    self.inputs = inputs
    self.outputs = outputs
    self.scratch = scratch
    self.pool = pool
  }

  subscript(in index: Int) -> TensorRef { inputs[index] }
  subscript(out index: Int) -> TensorRef { outputs[index] }
  /// An input that may be left out, such as a bias.
  subscript(optional index: Int) -> TensorRef? { index < inputs.count ? inputs[index] : nil }
}
