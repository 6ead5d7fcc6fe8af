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

/// Noisy latent → `out`: noise or velocity; and `attention.0`, … where maps are kept, `loss` and `gradient.NAME` where
/// gradients are.
struct DenoisingNetwork: Network {
  var unet: UNet
  /// Of one context of a prompt.
  var tokens: Int
  var pixelsPerLatent: Int

  let name = "denoise"
  var sizeMultiple: Int? { pixelsPerLatent << (unet.configuration.down.count - 1) }
  // Guidance asks for two predictions at once; more lanes would lie idle in most passes.
  let lanes = 2

  /// What the names of attention maps begin with.
  static let attentionPrefix = "attention."
  /// What the names of gradients begin with; `context`, `latent` or the name of a trained value follows.
  static let gradientPrefix = "gradient."
  static let loss = "loss"
  /// Inputs of a squared loss (`SquaredLoss`), and the one that takes its place.
  static let (lossBase, lossScale, lossWeight) = ("loss.base", "loss.scale", "loss.weight")
  static let seed = "seed"

  func define(_ g: Scope, _ size: NetworkSize, keeping kept: KeptValues) throws -> [String: Value] {
    let values = try unet.define(
      height: size.height / pixelsPerLatent, width: size.width / pixelsPerLatent,
      tokens: size.contexts * tokens, attentionMaps: kept.contains(.attentionMaps), g)
    var outputs = ["out": values.out]
    for (i, map) in values.attentionMaps.enumerated() { outputs["\(Self.attentionPrefix)\(i)"] = map }
    if kept.differentiates {
      g.builder.beginBlock()
      try differentiate(values, keeping: kept, &outputs, g)
    }
    return outputs
  }

  private func differentiate(
    _ values: UNet.Values, keeping kept: KeptValues, _ outputs: inout [String: Value], _ g: Scope
  ) throws {
    var targets: [(name: String, value: Value)] = []
    if kept.contains(.contextGradient) { targets.append(("context", values.context)) }
    if kept.contains(.latentGradient) { targets.append(("latent", values.latent)) }
    if kept.contains(.parameterGradients) { targets += g.builder.graph.parameters }
    let (out, again) = (values.out, g.builder.lowering.recomputed.contains)
    let gradients: [Value?]
    if kept.contains(.seededGradient) {
      let seed = g.input(Self.seed, g.type(out))
      gradients = try g.gradient(of: out, seed: seed, wrt: targets.map(\.value), recomputing: again)
    } else {
      let one = TensorType([1])
      let loss = try g.squaredError(
        of: out, scale: g.input(Self.lossScale, one), base: g.input(Self.lossBase, g.type(out)),
        weight: g.input(Self.lossWeight, one)
      ).loss
      outputs[Self.loss] = loss
      gradients = try g.gradient(ofLoss: loss, wrt: targets.map(\.value), recomputing: again)
    }
    for (target, gradient) in zip(targets, gradients) {
      outputs["\(Self.gradientPrefix)\(target.name)"] = gradient
    }
  }
}

/// Picture → `moments` of the latent.
struct EncodingNetwork: Network {
  var autoencoder: any LatentAutoencoder

  let name = "encode"
  let worksByLines = true
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
  let worksByLines = true
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
