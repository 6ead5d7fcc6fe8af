import NeuralGraph
import Tensors

/// Pictures to latents and back (Rombach et al. 2022, section 3.1; `AutoencoderKL` in the checkpoint).
package struct Autoencoder: Sendable {
  package var configuration: AutoencoderConfiguration
  package var naming: AttentionNaming

  package init(_ configuration: AutoencoderConfiguration, naming: AttentionNaming = .current) {
    self.configuration = configuration
    self.naming = naming
  }

  /// Input `image` `[H, W, 3]` in −1…1, H and W multiples of 8 → `moments` `[H/8, W/8, 8]`: mean, then
  /// log-variance, of the latent before scaling.
  package func defineEncoder(
    height: Int, width: Int, _ g: Scope
  ) throws(GraphError) -> (image: Value, moments: Value) {
    let image = g.input("image", TensorType([height, width, 3]))
    let x = try Encoder(configuration: configuration, naming: naming)(image, g["encoder"])
    let moments = try configuration.hasQuantConv ? g["quant_conv"].conv(x, to: g.channels(x), kernel: 1) : x
    return (image, g.tap("moments", moments))
  }

  /// Input `latent` `[h, w, 4]` divided by the scaling factor → `image` `[8h, 8w, 3]`, not clamped.
  package func defineDecoder(
    height: Int, width: Int, _ g: Scope
  ) throws(GraphError) -> (latent: Value, image: Value) {
    let channels = AutoencoderConfiguration.latentChannels
    let latent = g.input("latent", TensorType([height, width, channels]))
    let x =
      try configuration.hasPostQuantConv
      ? g["post_quant_conv"].conv(latent, to: channels, kernel: 1) : latent
    let image = try Decoder(configuration: configuration, naming: naming)(x, g["decoder"])
    return (latent, g.tap("image", image))
  }
}

/// Three halvings of the picture.
///
///     image ─ conv_in ─ down 0 ─ … ─ down 3 ─ mid_block ─ norm ─ silu ─ conv_out ── moments
struct Encoder {
  var configuration: AutoencoderConfiguration
  var naming: AttentionNaming

  /// x `[H, W, 3]` → `[H/8, W/8, 8]`
  func callAsFunction(_ x: Value, _ g: Scope) throws(GraphError) -> Value {
    let c = configuration
    var x = try g["conv_in"].conv(x, to: c.channels[0], kernel: 3)
    for (i, channels) in c.channels.enumerated() {
      let g = g["down_blocks"][i]
      for j in 0..<c.resnets { x = try c.resBlock(channels)(x, g["resnets"][j]) }
      guard i < c.channels.count - 1 else { break }
      x = try g["downsamplers"][0]["conv"].conv(x, to: channels, kernel: 3, .bottomRightHalving)
    }
    x = try AutoencoderMiddle(configuration: c, naming: naming)(x, g["mid_block"])
    x = try g.silu(g["conv_norm_out"].groupNorm(x, groups: c.groups, epsilon: AutoencoderConfiguration.epsilon))
    return try g["conv_out"].conv(x, to: 2 * AutoencoderConfiguration.latentChannels, kernel: 3)
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
    x = try AutoencoderMiddle(configuration: c, naming: naming)(x, g["mid_block"])
    for (i, channels) in c.channels.reversed().enumerated() {
      let g = g["up_blocks"][i]
      for j in 0...c.resnets { x = try c.resBlock(channels)(x, g["resnets"][j]) }
      guard i < c.channels.count - 1 else { break }
      let size = g.shape(x)
      x = try g.upsampleNearest(x, height: 2 * size[0], width: 2 * size[1])
      x = try g["upsamplers"][0]["conv"].conv(x, to: channels, kernel: 3)
    }
    x = try g.silu(g["conv_norm_out"].groupNorm(x, groups: c.groups, epsilon: AutoencoderConfiguration.epsilon))
    return try g["conv_out"].conv(x, to: 3, kernel: 3)
  }
}

extension AutoencoderConfiguration {
  func resBlock(_ channels: Int) -> ResBlock {
    ResBlock(outChannels: channels, groups: groups, epsilon: Self.epsilon)
  }
}
