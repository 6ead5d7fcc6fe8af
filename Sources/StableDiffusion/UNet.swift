import NeuralGraph

/// The noise predictor of latent diffusion (Rombach et al. 2022; `UNet2DConditionModel` in the checkpoint).
///
///     latent ─ conv_in ─ down 0 ─ … ─ down n ─ middle ─ up 0 ─ … ─ up n ─ norm ─ silu ─ conv_out ── out
///                 └─────────┴─ skips, the last one first ─┴───────────┘
package struct UNet: Sendable {
  package var configuration: UNetConfiguration

  package init(_ configuration: UNetConfiguration) { self.configuration = configuration }

  /// latent `[h, w, 4]` → `[h, w, 4]`
  func callAsFunction(_ latent: Value, told: Conditioning, _ g: Scope) throws(GraphError) -> Value {
    let c = configuration
    var x = try g.tap("conv_in", g["conv_in"].conv(latent, to: c.down[0].channels, kernel: 3))
    x = try g.kept(x)
    var skips = [x]
    for (i, level) in c.down.enumerated() {
      let block = DownBlock(
        layer: UNetLayer(level, of: c), count: level.resnets, isLast: i == c.down.count - 1)
      x = try block(x, told, skips: &skips, g["down_blocks"][i])
    }
    if let middle = c.middle {
      x = try MiddleBlock(layer: UNetLayer(middle, of: c), count: middle.resnets)(x, told, g["mid_block"])
    }
    for (i, level) in c.up.enumerated() {
      let block = UpBlock(layer: UNetLayer(level, of: c), count: level.resnets)
      x = try block(x, told, skips: &skips, g["up_blocks"][i])
    }
    g.builder.beginBlock()
    let last = g["conv_norm_out"].normalized(x, groups: c.groups, epsilon: c.epsilon).activated()
    return try g.tap("conv_out", g["conv_out"].conv(last, to: UNetConfiguration.latentChannels, kernel: 3))
  }
}

/// What the blocks of a UNet are told besides the picture.
struct Conditioning {
  /// Time embedding `[1, E]`.
  var temb: Value
  /// Text states `[L, D]`.
  var context: Value
  /// Collects cross-attention probabilities where somebody asks for them.
  var maps: AttentionMaps?
}
