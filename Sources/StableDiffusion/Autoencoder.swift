import NeuralGraph
import Tensors

/// Pictures to latents and back (Rombach et al. 2022, section 3.1; `AutoencoderKL` in the checkpoint).
package struct Autoencoder: LatentAutoencoder {
  package var configuration: AutoencoderConfiguration
  package var naming: AttentionNaming

  package init(_ configuration: AutoencoderConfiguration, naming: AttentionNaming = .current) {
    self.configuration = configuration
    self.naming = naming
  }

  package var description: any Encodable & Sendable { configuration }
  package var withCurrentNames: any LatentAutoencoder { Autoencoder(configuration) }
  package var scalingFactor: Float { configuration.scalingFactor }
  package var channels: [Int] { configuration.channels }

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
