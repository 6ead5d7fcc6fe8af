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
    var h = try g["norm"].groupNorm(x, groups: groups, epsilon: 1e-6)
    h = try project(h, g["proj_in"])
    for i in 0..<depth {
      if i > 0 { g.builder.beginBlock() }
      h = try TransformerBlock(heads: heads)(h, over: context, maps: maps, g["transformer_blocks"][i])
    }
    h = try project(h, g["proj_out"])
    return try g.tap(g.path, g.add(x, h))
  }

  private func project(_ x: Value, _ g: Scope) throws(GraphError) -> Value {
    let width = g.channels(x)
    return try usesLinearProjection ? g.linear(x, to: width) : g.conv(x, to: width, kernel: 1)
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
    var h = try g.add(x, attend(n, over: n, maps: nil, g["attn1"]))
    h = try g.add(h, attend(g["norm2"].layerNorm(h), over: context, maps: maps, g["attn2"]))
    // The widest activations of the network, from few products: worth computing again where little else is.
    g.builder.beginBlock()
    return try g.add(h, FeedForward()(g["norm3"].layerNorm(h), g["ff"]))
  }
}

/// Attention between projections: queries from x, keys and values from `source`.
///
///     x ────── to_q ─┐
///     source ─ to_k ─┼─ attention ── to_out.0 ── y
///     source ─ to_v ─┘
struct AttentionLayer {
  var heads: Int

  /// x `[…, C]`, source `[…, D]` → `[…, C]`
  func callAsFunction(
    _ x: Value, over source: Value, maps: AttentionMaps?, _ g: Scope
  ) throws(GraphError) -> Value {
    let width = g.channels(x)
    let projections = [g["to_q"], g["to_k"], g["to_v"]]
    let q = try projections[0].linear(x, to: width, bias: false)
    let k = try projections[1].linear(source, to: width, bias: false)
    let v = try projections[2].linear(source, to: width, bias: false)
    let h: Value
    if let maps, maps.show(x, g) {
      h = try g.attention(q, k, v, heads: heads)
      try maps.collect(from: h, g)
    } else {
      h = try g.attention(q, k, v, heads: heads, behind: projections)
    }
    return try g["to_out"][0].linear(h, to: width)
  }
}

/// Two linear layers around a gated GELU (Shazeer 2020), the inner one four times as wide.
///
///     x ── net.0.proj ── geglu ── net.2 ── y
struct FeedForward {
  /// x `[…, C]` → `[…, C]`
  func callAsFunction(_ x: Value, _ g: Scope) throws(GraphError) -> Value {
    let width = g.channels(x)
    let h = try g.geglu(g["net"][0]["proj"].linear(x, to: 2 * 4 * width))
    return try g["net"][2].linear(h, to: width)
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

  /// Whether pixels lie on the grid.
  func show(_ x: Value, _ g: Scope) -> Bool { g.shape(x).dropLast() == [height, width] }

  /// - Parameter attended: output of an attention of floats over the grid.
  func collect(from attended: Value, _ g: Scope) throws(GraphError) {
    values.append(try g.attentionMap(of: attended))
  }
}
