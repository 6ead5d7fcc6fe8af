/// A low-rank side branch of one layer (Hu et al. 2022, LoRA):
///
///     y = W·x + b + s·c·B(A·x)
///
/// A `[r, K]`, of a convolution `[r, C, kh, kw]`, and B `[N, r]` are weights of the checkpoint beside the layer's
/// own, which stay as they are, whatever their element type. s is an input of the graph (`scaleName`).
package struct Adapter: Hashable, Sendable {
  /// Where the checkpoint has the branch: `path.lora_A.weight`, `path.lora_B.weight`.
  package var path: String
  /// r.
  package var rank: Int
  /// c: the user's factor times alpha/r.
  package var factor: Float

  package init(path: String, rank: Int, factor: Float) {
    (self.path, self.rank, self.factor) = (path, rank, factor)
  }

  /// The input `[1]`, called s above, of graphs that have side branches.
  package static let scaleName = "adapter_scale"
}
