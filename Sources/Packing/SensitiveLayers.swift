import FoundationEssentials

/// The layers that stay f16 in an int8 container: an error there reaches everything behind it undiminished, and they
/// are small. `README.md` has the figures.
///
/// - first and last convolutions, time embedding: one number in, or out, of every pixel or of every block;
/// - shortcuts, the 1×1 convolutions that carry a block's input past it, straight to the output;
/// - the attention of the noise network's last block, which nothing evens out any more.
struct SensitiveLayers {
  private var kept: [String]

  private static let always: [(component: String, layer: Substring)] = [
    ("unet", "conv_in"), ("unet", "conv_out"), ("unet", "time_embedding"), ("unet", "add_embedding"),
    ("unet", "time_emb_proj"), ("unet", "conv_shortcut"), ("vae", "conv_in"), ("vae", "conv_out"),
    ("vae", "quant_conv"), ("vae", "post_quant_conv"), ("vae", "conv_shortcut"),
    ("text_encoder", "text_projection"),
  ]

  /// - Parameters:
  ///   - names: of all weights of a model, component first.
  ///   - kept: parts of names that the user wants to be treated so too.
  init(of names: some Sequence<String>, keeping kept: [String]) {
    self.kept = kept
    let ups = names.compactMap { name in
      name.hasPrefix("unet.up_blocks.") ? Int(name.split(separator: ".")[2]) : nil
    }
    if let last = ups.max() { self.kept.append("unet.up_blocks.\(last).attentions.") }
  }

  func contains(_ name: String) -> Bool {
    let parts = name.split(separator: ".")
    return kept.contains(where: name.contains)
      || Self.always.contains { name.hasPrefix($0.component) && parts.contains($0.layer) }
  }
}
