import Tensors

/// What layers become operators for: the arithmetic between them, what a backward pass wants, how pictures are kept. Which
/// tensors there are and how they are stored is the checkpoint's.
package struct Lowering: Sendable {
  /// Whether activations stay floats where weights are bytes: the arithmetic that a gradient belongs to.
  package var keepsFloats = false
  /// Whether there is a backward pass that may want what lies between two layers.
  package var differentiates = false
  /// The blocks that a backward pass computes again.
  package var recomputed: Set<Int> = []
  /// Whether layers compute what lies around them (`LayerFusion`); otherwise what every layer reads is a value. The bits are
  /// the same.
  package var fuses = true
  /// Of floats everywhere, or of bytes: in a network that `multipliesBytes` in other places, and between layers that do.
  package var attention = AttentionArithmetic.int8
  /// Whether layers around an attention compute in bytes, though its own may not.
  package var multipliesBytes = false
  /// Whether convolutions may be computed line by line where they are read; such a graph has no gradient. Without it what
  /// is kept in halves is stored by an operator.
  package var worksByLines = true
  /// What is computed so instead of being kept; nil for nothing.
  package var lineLimits: LineLimits?
  /// In what blocks hand pictures on (`Scope.kept`).
  package var activations = ActivationPrecision.f32

  package init() {}
}
