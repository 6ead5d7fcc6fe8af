import FoundationEssentials
import Tensors

/// The layers of an int8 container whose error reaches everything behind it undiminished; they are small. `README.md`
/// has the figures.
///
/// f16:
/// - first and last convolutions, time embedding: one number in, or out, of every pixel or of every block;
/// - shortcuts, the 1×1 convolutions that carry a block's input past it, straight to the output, in the autoencoder and
///   in the noise network's last block;
/// - the layers into and out of that block's transformers, a hundredth of the work as well.
///
/// int8, with activations of 16 bits: the rest of what lies in the way through the attention of that block, which nothing
/// evens out any more. There weights are not what costs most.
struct SensitiveLayers {
  /// `unet.up_blocks.3.`
  private let lastBlock: String?

  private static let always: [(component: String, layer: Substring)] = [
    ("unet", "conv_in"), ("unet", "conv_out"), ("unet", "time_embedding"), ("unet", "add_embedding"),
    ("unet", "time_emb_proj"), ("vae", "conv_in"), ("vae", "conv_out"), ("vae", "quant_conv"),
    ("vae", "post_quant_conv"), ("vae", "conv_shortcut"), ("text_encoder", "text_projection"),
  ]
  /// Of the attention of the last block; queries, keys, values and all of the cross-attention need no more than bytes.
  private static let wide: [(layer: Substring, part: Substring?)] = [
    ("attn1", "to_out"), ("ff", nil),
  ]
  private static let whole: Set<Substring> = ["conv_shortcut", "proj_in", "proj_out"]

  /// - Parameter names: of all weights of a model, component first.
  init(of names: some Sequence<String>) {
    let ups = names.compactMap { name in
      name.hasPrefix("unet.up_blocks.") ? Int(name.split(separator: ".")[2]) : nil
    }
    lastBlock = ups.max().map { "unet.up_blocks.\($0)." }
  }

  /// How a matrix or convolution is stored in an int8 container.
  func format(of name: String) -> WeightFormat {
    let parts = name.split(separator: ".")
    if isLast(name) && parts.contains(where: Self.whole.contains)
      || Self.always.contains(where: { name.hasPrefix($0.component) && parts.contains($0.layer) })
    {
      return WeightFormat(.f16)
    }
    return int8Format(of: name)
  }

  /// How it is stored where it is to be int8 in any case.
  func int8Format(of name: String) -> WeightFormat {
    let parts = name.split(separator: ".")
    let isWide =
      isLast(name) && parts.contains("attentions")
      && Self.wide.contains { layer, part in
        parts.contains(layer) && part.map { parts.contains($0) } != false
      }
    return WeightFormat(.s8, activations: isWide ? .sixteen : .eight)
  }

  private func isLast(_ name: String) -> Bool { lastBlock.map(name.hasPrefix) == true }
}
