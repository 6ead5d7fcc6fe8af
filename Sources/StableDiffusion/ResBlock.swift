import NeuralGraph

/// Residual block (He et al. 2016), conditioned on the timestep where there is one (`ResnetBlock2D` in the
/// checkpoint).
///
///     x ── norm1 ─ silu ─ conv1 ─(+)─ norm2 ─ silu ─ conv2 ─(+)── y
///     temb ─ silu ─ time_emb_proj ┘                          │
///     x ──────────────── conv_shortcut if channels differ ───┘
struct ResBlock {
  var outChannels: Int
  var groups: Int
  var epsilon: Float

  /// x `[H, W, C]`, temb `[1, E]` → `[H, W, outChannels]`
  func callAsFunction(_ x: Value, _ temb: Value?, _ g: Scope) throws(GraphError) -> Value {
    var h = try g["norm1"].groupNorm(x, groups: groups, epsilon: epsilon)
    h = try g["conv1"].conv(g.silu(h), to: outChannels, kernel: 3)
    if let temb {
      h = try g.addChannels(h, g["time_emb_proj"].linear(g.silu(temb), to: outChannels))
    }
    h = try g["norm2"].groupNorm(h, groups: groups, epsilon: epsilon)
    h = try g["conv2"].conv(g.silu(h), to: outChannels, kernel: 3)
    let skip =
      g.channels(x) == outChannels ? x : try g["conv_shortcut"].conv(x, to: outChannels, kernel: 1)
    return try g.tap(g.path, g.add(skip, h))
  }
}
