import FoundationEssentials
import NeuralGraph

/// Pictures to latents and back, whatever the network in between.
package protocol LatentAutoencoder: Sendable {
  /// What latents are multiplied by after encoding.
  var scalingFactor: Float { get }
  /// Channels of each level, from full resolution downwards.
  var channels: [Int] { get }
  /// What it is made of, as a file.
  var description: any Encodable & Sendable { get }
  /// The same network with its weights named as files name them today.
  var withCurrentNames: any LatentAutoencoder { get }

  /// Input `image` `[H, W, 3]` in −1…1, H and W multiples of 8 → `moments` `[H/8, W/8, 4 or 8]`: mean and, if there
  /// is one, log-variance of the latent before scaling.
  func defineEncoder(height: Int, width: Int, _ g: Scope) throws(GraphError) -> (image: Value, moments: Value)

  /// Input `latent` `[h, w, 4]` divided by the scaling factor → `image` `[8h, 8w, 3]`, not clamped.
  func defineDecoder(height: Int, width: Int, _ g: Scope) throws(GraphError) -> (latent: Value, image: Value)
}

extension LatentAutoencoder {
  package var withCurrentNames: any LatentAutoencoder { self }

  /// Pixels of the picture along one pixel of the latent: every level but the first halves it.
  package var pixelsPerLatent: Int { 1 << (channels.count - 1) }
}

/// The autoencoder that a configuration describes, by its class.
///
/// - Parameters:
///   - file: what errors call the configuration.
///   - shape: shape of a tensor of the weights, nil where there is none.
package func autoencoder(
  describedBy json: Data, file: String, shape: (String) -> [Int]?
) throws(ModelError) -> any LatentAutoencoder {
  let name = try ConfigurationFields(json, file: file).text("_class_name", default: "AutoencoderKL")
  guard name == "AutoencoderTiny" else {
    return Autoencoder(
      try AutoencoderConfiguration(json: json, file: file), naming: AttentionNaming(shape: shape))
  }
  return TinyAutoencoder(try TinyAutoencoderConfiguration(json: json, file: file))
}
