import NeuralGraph

extension Autoencoder {
  /// The lowest resolution of the encoder and of the decoder.
  ///
  ///     x ── resnets.0 ── attentions.0 ── resnets.1 ── y
  struct Middle {
    var configuration: AutoencoderConfiguration
    var naming: AttentionNaming

    /// x `[H, W, C]` → `[H, W, C]`
    func callAsFunction(_ x: Value, _ g: Scope) throws(GraphError) -> Value {
      let resBlock = configuration.resBlock(g.channels(x))
      var x = try resBlock(x, nil, g["resnets"][0])
      if configuration.hasMiddleAttention { x = try attention(x, g["attentions"][0]) }
      return try resBlock(x, nil, g["resnets"][1])
    }

    /// Every pixel attends to every other, with one head.
    ///
    ///     x ── group_norm ─┬─ to_q ─┐
    ///                      ├─ to_k ─┼─ attention ─ to_out ─(+)── y
    ///                      └─ to_v ─┘                       │
    ///     x ────────────────────────────────────────────────┘
    private func attention(_ x: Value, _ g: Scope) throws(GraphError) -> Value {
      let n = LayerInput(
        try g["group_norm"].groupNorm(
          x, groups: configuration.groups, epsilon: AutoencoderConfiguration.epsilon))
      let h = try g.attention(
        naming.project(n, g[naming.query]), naming.project(n, g[naming.key]),
        naming.project(n, g[naming.value]), heads: 1)
      return try naming.project(LayerInput(h), residual: x, g[naming.out])
    }
  }
}

/// How a file of an autoencoder names and shapes the projections of its attention.
package struct AttentionNaming: Equatable, Sendable {
  var query: String
  var key: String
  var value: String
  var out: String
  /// Stored as 1×1 convolutions `[C, C, 1, 1]`; otherwise as `[C, C]`.
  package var isConvolution = false

  package static let current = Self(query: "to_q", key: "to_k", value: "to_v", out: "to_out.0")
  /// Of files written before 2023.
  package static let old = Self(query: "query", key: "key", value: "value", out: "proj_attn")

  /// The naming of a file.
  ///
  /// - Parameter shape: shape of the file's tensor of this name, if there is one.
  package init(shape: (String) -> [Int]?) {
    let attention = ["encoder", "decoder"].map { "\($0).mid_block.attentions.0" }
    func shapes(_ name: String) -> [[Int]] { attention.compactMap { shape("\($0).\(name).weight") } }
    self = shapes(Self.old.query).isEmpty ? .current : .old
    isConvolution = shapes(query).contains { $0.count == 4 }
  }

  private init(query: String, key: String, value: String, out: String) {
    (self.query, self.key, self.value, self.out) = (query, key, value, out)
  }

  fileprivate func project(
    _ input: LayerInput, residual: Value? = nil, _ g: Scope
  ) throws(GraphError) -> Value {
    let width = g.channels(input.x)
    return try isConvolution
      ? g.conv(input, to: width, kernel: 1, residual: residual)
      : g.linear(input, to: width, residual: residual)
  }
}
