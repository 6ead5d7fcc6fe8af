import NeuralGraph
import StableDiffusion

/// Text → states: `states`, `penultimate`, and `projections` of encoders that have them.
struct TextNetwork: Network {
  var encoder: TextEncoder

  let name = "text"
  let sizeMultiple: Int? = nil
  var withCurrentNames: any Network { TextNetwork(encoder: TextEncoder(encoder.configuration)) }

  func define(_ g: Scope, _ size: NetworkSize, keeping kept: KeptValues) throws -> [String: Value] {
    let values = try encoder.define(g)
    var outputs = ["states": values.states, "penultimate": values.penultimate]
    outputs["projections"] = values.projections
    return outputs
  }
}

/// Noisy latent → `out`: noise or velocity; and `attention.0`, … where maps are kept.
struct DenoisingNetwork: Network {
  var unet: UNet
  /// Of a prompt.
  var tokens: Int
  var pixelsPerLatent: Int

  let name = "denoise"
  var sizeMultiple: Int? { pixelsPerLatent << (unet.configuration.down.count - 1) }
  // Guidance asks for two predictions at once; more lanes would lie idle in most passes.
  let lanes = 2

  /// What the names of attention maps begin with.
  static let attentionPrefix = "attention."

  func define(_ g: Scope, _ size: NetworkSize, keeping kept: KeptValues) throws -> [String: Value] {
    let values = try unet.define(
      height: size.height / pixelsPerLatent, width: size.width / pixelsPerLatent, tokens: tokens,
      attentionMaps: kept.contains(.attentionMaps), g)
    var outputs = ["out": values.out]
    for (i, map) in values.attentionMaps.enumerated() { outputs["\(Self.attentionPrefix)\(i)"] = map }
    return outputs
  }
}

/// Picture → `moments` of the latent.
struct EncodingNetwork: Network {
  var autoencoder: any LatentAutoencoder

  let name = "encode"
  var sizeMultiple: Int? { autoencoder.pixelsPerLatent }
  var withCurrentNames: any Network { EncodingNetwork(autoencoder: autoencoder.withCurrentNames) }

  func define(_ g: Scope, _ size: NetworkSize, keeping kept: KeptValues) throws -> [String: Value] {
    ["moments": try autoencoder.defineEncoder(height: size.height, width: size.width, g).moments]
  }
}

/// Latent → `image`.
struct DecodingNetwork: Network {
  var autoencoder: any LatentAutoencoder

  let name = "decode"
  var sizeMultiple: Int? { autoencoder.pixelsPerLatent }
  var withCurrentNames: any Network { DecodingNetwork(autoencoder: autoencoder.withCurrentNames) }

  func define(_ g: Scope, _ size: NetworkSize, keeping kept: KeptValues) throws -> [String: Value] {
    let pixels = autoencoder.pixelsPerLatent
    return [
      "image": try autoencoder.defineDecoder(height: size.height / pixels, width: size.width / pixels, g)
        .image
    ]
  }
}
