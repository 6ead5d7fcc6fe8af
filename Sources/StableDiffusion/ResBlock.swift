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
    let first = g["norm1"].normalized(x, groups: groups, epsilon: epsilon).activated()
    let time = try temb.map { (temb) throws(GraphError) in
      try g["time_emb_proj"].linear(LayerInput(temb).activated(), to: outChannels)
    }
    let h = try g["conv1"].conv(first, to: outChannels, kernel: 3, adding: time)
    let skip =
      g.channels(x) == outChannels ? x : try g["conv_shortcut"].conv(x, to: outChannels, kernel: 1)
    let second = g["norm2"].normalized(h, groups: groups, epsilon: epsilon).activated()
    return try g.tap(g.path, g["conv2"].conv(second, to: outChannels, kernel: 3, residual: skip))
  }
}
