import NeuralGraph

extension Autoencoder {
  /// Three halvings of the picture.
  ///
  ///     image ─ conv_in ─ down 0 ─ … ─ down 3 ─ mid_block ─ norm ─ silu ─ conv_out ── moments
  struct Encoder {
    var configuration: AutoencoderConfiguration
    var naming: AttentionNaming

    /// x `[H, W, 3]` → `[H/8, W/8, 8]`
    func callAsFunction(_ x: Value, _ g: Scope) throws(GraphError) -> Value {
      let c = configuration
      var x = try g.kept(g["conv_in"].conv(x, to: c.channels[0], kernel: 3))
      for (i, channels) in c.channels.enumerated() {
        let g = g["down_blocks"][i]
        for j in 0..<c.resnets { x = try g.kept(c.resBlock(channels)(x, nil, g["resnets"][j])) }
        guard i < c.channels.count - 1 else { break }
        x = try g.kept(
          g["downsamplers"][0]["conv"].conv(  // zeros below and at the right only
            x, to: channels, kernel: 3, .init(stride: 2, top: 0, left: 0, bottom: 1, right: 1)))
      }
      x = try Middle(configuration: c, naming: naming)(x, g["mid_block"])
      let last = c.norm(x, g["conv_norm_out"]).activated()
      return try g["conv_out"].conv(last, to: 2 * AutoencoderConfiguration.latentChannels, kernel: 3)
    }
  }

  /// Three doublings of the latent.
  ///
  ///     latent ─ conv_in ─ mid_block ─ up 0 ─ … ─ up 3 ─ norm ─ silu ─ conv_out ── image
  struct Decoder {
    var configuration: AutoencoderConfiguration
    var naming: AttentionNaming

    /// x `[h, w, 4]` → `[8h, 8w, 3]`
    func callAsFunction(_ x: Value, _ g: Scope) throws(GraphError) -> Value {
      let c = configuration
      var x = try g["conv_in"].conv(x, to: c.channels.last!, kernel: 3)
      x = try Middle(configuration: c, naming: naming)(x, g["mid_block"])
      for (i, channels) in c.channels.reversed().enumerated() {
        let g = g["up_blocks"][i]
        for j in 0...c.resnets { x = try g.kept(c.resBlock(channels)(x, nil, g["resnets"][j])) }
        guard i < c.channels.count - 1 else { break }
        let size = g.shape(x)
        x = try g["upsamplers"][0]["conv"].conv(
          g.enlarged(x, height: 2 * size[0], width: 2 * size[1]), to: channels, kernel: 3)
      }
      return try g["conv_out"].conv(c.norm(x, g["conv_norm_out"]).activated(), to: 3, kernel: 3)
    }
  }
}

extension AutoencoderConfiguration {
  func resBlock(_ channels: Int) -> ResBlock {
    ResBlock(outChannels: channels, groups: groups, epsilon: Self.epsilon)
  }

  func norm(_ x: Value, _ g: Scope) -> LayerInput {
    g.normalized(x, groups: groups, epsilon: Self.epsilon)
  }
}
