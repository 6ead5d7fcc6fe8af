import NeuralGraph
import Tensors

extension UNet {
  /// The inputs and outputs of a network in its graph.
  package struct Values {
    /// Input `latent` `[h, w, 4]`.
    package let latent: Value
    /// Input `timestep_sinusoid` `[1, C]`: `UNetConfiguration.timestepSinusoid` of the timestep.
    package let timestepSinusoid: Value
    /// Input `guidance_sinusoid` `[1, D]` of networks that are told the weight: `UNetConfiguration.guidance`.
    package let guidanceSinusoid: Value?
    /// Input `context` `[L, D]`: states of the text encoders.
    package let context: Value
    /// Inputs `pooled` and `time_ids_sinusoid` of networks that are told the picture's size.
    package let added: AddedValues?
    /// `[h, w, 4]`: noise or velocity, whatever the network was trained to predict.
    package let out: Value
    /// Cross-attention probabilities, averaged over heads, of each layer of the down and up blocks whose
    /// queries are a grid of h/4 × w/4: `[h/4·w/4, L]`. Empty unless asked for.
    package let attentionMaps: [Value]
  }

  package struct AddedValues {
    /// Pooled text vector `[1, P]`.
    package let pooled: Value
    /// `[1, 6·d]`: `UNetConfiguration.timeIDSinusoid` of the time ids.
    package let timeIDSinusoid: Value
  }

  /// Defines the network for latents of `height` × `width` and prompts of `tokens`.
  package func define(
    height: Int, width: Int, tokens: Int, attentionMaps: Bool = false, _ g: Scope
  ) throws(GraphError) -> Values {
    let c = configuration
    let latent = g.input("latent", TensorType([height, width, UNetConfiguration.latentChannels]))
    let sinusoid = g.input("timestep_sinusoid", TensorType([1, c.timestepSinusoid.width]))
    let guidance = c.guidanceSinusoid.map { g.input("guidance_sinusoid", TensorType([1, $0.width])) }
    let context = g.input("context", TensorType([tokens, c.contextWidth]))
    let added = c.added.map { added in
      AddedValues(
        pooled: g.input("pooled", TensorType([1, added.pooledWidth])),
        timeIDSinusoid: g.input("time_ids_sinusoid", TensorType([1, added.timeIDsWidth])))
    }
    let maps = attentionMaps ? AttentionMaps(height: height / 4, width: width / 4) : nil

    let temb = try timeEmbedding(sinusoid, guidance, added, g)
    let told = Conditioning(temb: temb, context: context, maps: maps)
    let out = try self(latent, told: told, g)
    return Values(
      latent: latent, timestepSinusoid: sinusoid, guidanceSinusoid: guidance, context: context, added: added,
      out: out,
      attentionMaps: maps?.values ?? [])
  }

  /// The time embedding, with what else the network is told about the picture (Podell et al. 2023) and the guidance
  /// (Luo et al. 2023).
  ///
  ///     timestep_sinusoid ──────────(+)── time_embedding ─(+)── temb
  ///     guidance_sinusoid ─ cond_proj ┘                    │
  ///     [pooled | time_ids_sinusoid] ──── add_embedding ───┘
  private func timeEmbedding(
    _ sinusoid: Value, _ guidance: Value?, _ added: AddedValues?, _ g: Scope
  ) throws(GraphError) -> Value {
    let embed = TimeEmbedding(width: configuration.timeWidth)
    var told = sinusoid
    if let guidance {
      let layer = g["time_embedding"]["cond_proj"]
      told = try g.add(told, layer.linear(guidance, to: configuration.timestepSinusoid.width, bias: false))
    }
    let temb = try g.tap("time_embedding", embed(told, g["time_embedding"]))
    guard let added else { return temb }
    return try g.add(temb, embed(g.concatenate(added.pooled, added.timeIDSinusoid), g["add_embedding"]))
  }
}
