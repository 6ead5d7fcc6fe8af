import NeuralGraph

/// Attention over the pixels of a picture and the words of a prompt (Rombach et al. 2022, section 3.3;
/// `Transformer2DModel` in the checkpoint).
///
///     x ── norm ── proj_in ── transformer_blocks ── proj_out ──(+)── y
///     x ───────────────────────────────────────────────────────┘
struct Transformer {
  var heads: Int
  var depth: Int
  var groups: Int
  /// proj_in and proj_out are stored as linear layers, not as 1×1 convolutions.
  var usesLinearProjection: Bool

  /// x `[H, W, C]`, context `[L, D]` → `[H, W, C]`
  func callAsFunction(
    _ x: Value, over context: Value, maps: AttentionMaps?, _ g: Scope
  ) throws(GraphError) -> Value {
    var h = try project(g["norm"].normalized(x, groups: groups, epsilon: 1e-6), g["proj_in"])
    for i in 0..<depth {
      if i > 0 { g.builder.beginBlock() }
      h = try TransformerBlock(heads: heads)(h, over: context, maps: maps, g["transformer_blocks"][i])
    }
    return try g.tap(g.path, project(LayerInput(h), residual: x, g["proj_out"]))
  }

  private func project(
    _ input: LayerInput, residual: Value? = nil, _ g: Scope
  ) throws(GraphError) -> Value {
    let width = g.channels(input.x)
    return try usesLinearProjection
      ? g.linear(input, to: width, residual: residual)
      : g.conv(input, to: width, kernel: 1, residual: residual)
  }
}

/// Self-attention, cross-attention and feed-forward, each behind a norm and around it a residual
/// (`BasicTransformerBlock` in the checkpoint).
///
///     x ── norm1 ─ attn1 ─(+)─ norm2 ─ attn2(context) ─(+)─ norm3 ─ ff ─(+)── y
struct TransformerBlock {
  var heads: Int

  /// x `[…, C]`, context `[L, D]` → `[…, C]`
  func callAsFunction(
    _ x: Value, over context: Value, maps: AttentionMaps?, _ g: Scope
  ) throws(GraphError) -> Value {
    let attend = AttentionLayer(heads: heads)
    let n = try g["norm1"].layerNorm(x)
    var h = try attend(n, over: n, residual: x, maps: nil, g["attn1"])
    h = try attend(g["norm2"].layerNorm(h), over: context, residual: h, maps: maps, g["attn2"])
    // The widest activations of the network, from few products: worth computing again where little else is.
    g.builder.beginBlock()
    return try FeedForward()(g["norm3"].layerNorm(h), residual: h, g["ff"])
  }
}

/// Attention between projections: queries from x, keys and values from `source`.
///
///     x ────── to_q ─┐
///     source ─ to_k ─┼─ attention ── to_out.0 ─(+)── y
///     source ─ to_v ─┘              residual ──┘
struct AttentionLayer {
  var heads: Int

  /// x `[…, C]`, source `[…, D]`, residual `[…, C]` → `[…, C]`
  func callAsFunction(
    _ x: Value, over source: Value, residual: Value, maps: AttentionMaps?, _ g: Scope
  ) throws(GraphError) -> Value {
    let width = g.channels(x)
    let q = try g["to_q"].linear(x, to: width, bias: false)
    let k = try g["to_k"].linear(source, to: width, bias: false)
    let v = try g["to_v"].linear(source, to: width, bias: false)
    let h = try g.attention(q, k, v, heads: heads)
    try maps?.collect(from: h, g)
    return try g["to_out"][0].linear(LayerInput(h), to: width, residual: residual)
  }
}

/// Two linear layers around a gated GELU (Shazeer 2020), the inner one four times as wide.
///
///     x ── net.0.proj ── geglu ── net.2 ─(+)── y
///     residual ──────────────────────────┘
struct FeedForward {
  /// x, residual `[…, C]` → `[…, C]`
  func callAsFunction(_ x: Value, residual: Value, _ g: Scope) throws(GraphError) -> Value {
    let width = g.channels(x)
    let h = try g.geglu(g["net"][0]["proj"].linear(x, to: 2 * 4 * width))
    return try g["net"][2].linear(LayerInput(h), to: width, residual: residual)
  }
}

/// Collects the probabilities of the attention layers whose queries are the pixels of one grid.
final class AttentionMaps {
  private let height: Int
  private let width: Int
  /// `[height·width, keys]` of each layer, averaged over its heads.
  private(set) var values: [Value] = []

  init(height: Int, width: Int) {
    self.height = height
    self.width = width
  }

  /// - Parameter attended: output of an attention.
  func collect(from attended: Value, _ g: Scope) throws(GraphError) {
    guard g.shape(attended).dropLast() == [height, width] else { return }
    values.append(try g.attentionMap(of: attended))
  }
}
