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
      if i > 0 {
        h = try g.kept(h)
        g.builder.beginBlock()
      }
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
///
/// The feed-forward layer (`ff`) is two linear layers around a gated GELU, the inner one four times as wide.
struct TransformerBlock {
  var heads: Int

  /// x `[…, C]`, context `[L, D]` → `[…, C]`
  func callAsFunction(
    _ x: Value, over context: Value, maps: AttentionMaps?, _ g: Scope
  ) throws(GraphError) -> Value {
    let attend = AttentionLayer(heads: heads)
    var h = try attend(x, norm: g["norm1"], over: nil, maps: nil, g["attn1"])
    h = try attend(h, norm: g["norm2"], over: context, maps: maps, g["attn2"])
    // The widest activations of the network, from few products: worth computing again where little else is.
    g.builder.beginBlock(joining: true)
    return try g["ff"].feedForward(h, norm: g["norm3"], width: 4 * g.channels(h))
  }
}

/// Attention between projections of a norm, with a residual around it: queries from x, keys and values from `source`, or
/// from x where there is none.
///
///     x ─┬─ norm ── to_q ─┐
///        │ source ─ to_k ─┼─ attention ── to_out.0 ─(+)── y
///        │ source ─ to_v ─┘                          │
///        └───────────────────────────────────────────┘
struct AttentionLayer {
  var heads: Int

  /// x `[…, C]`, source `[…, D]` → `[…, C]`
  func callAsFunction(
    _ x: Value, norm: Scope, over source: Value?, maps: AttentionMaps?, _ g: Scope
  ) throws(GraphError) -> Value {
    let width = g.channels(x)
    let projections = [g["to_q"], g["to_k"], g["to_v"]]
    var rows: [Value]
    if let source {
      rows = try norm.projections(of: x, [projections[0]], to: width)
      for g in projections.dropFirst() { rows.append(try g.linear(source, to: width, bias: false)) }
    } else {
      rows = try norm.projections(of: x, projections, to: width)
    }
    let h: Value
    if let maps, maps.show(x, g) {
      h = try g.attention(rows[0], rows[1], rows[2], heads: heads)
      try maps.collect(from: h, g)
    } else {
      h = try g.attention(rows[0], rows[1], rows[2], heads: heads, behind: projections)
    }
    return try g["to_out"][0].linear(LayerInput(h), to: width, residual: x)
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
