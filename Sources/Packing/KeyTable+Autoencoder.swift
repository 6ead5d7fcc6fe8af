/// The autoencoder. Its decoder counts levels from full resolution upwards in the file, from the lowest here.
extension KeyTable {
  private static let resBlock = [
    ("norm1", "norm1"), ("conv1", "conv1"), ("norm2", "norm2"), ("conv2", "conv2"),
    ("nin_shortcut", "conv_shortcut"),
  ]

  /// - Parameter root: `first_stage_model.`
  mutating func addAutoencoder(_ root: String) {
    for name in ["quant_conv", "post_quant_conv"] { add("vae", root + name, .renamed(name)) }
    for coder in ["encoder", "decoder"] {
      let foreign = root + coder
      add(
        "vae", "\(foreign).", "\(coder).",
        [("conv_in", "conv_in"), ("norm_out", "conv_norm_out"), ("conv_out", "conv_out")])
      add("vae", "\(foreign).mid.block_1.", "\(coder).mid_block.resnets.0.", Self.resBlock)
      add("vae", "\(foreign).mid.block_2.", "\(coder).mid_block.resnets.1.", Self.resBlock)
      addAttention("\(foreign).mid.attn_1", "\(coder).mid_block.attentions.0")
      addLevels(foreign, coder)
    }
  }

  private mutating func addAttention(_ foreign: String, _ own: String) {
    add("vae", "\(foreign).norm", .renamed("\(own).group_norm"))
    for (from, to) in [("q", "to_q"), ("k", "to_k"), ("v", "to_v"), ("proj_out", "to_out.0")] {
      add("vae", "\(foreign).\(from)", .linear("\(own).\(to)"))
    }
  }

  private mutating func addLevels(_ foreign: String, _ coder: String) {
    let isEncoder = coder == "encoder"
    let (way, sampler) = isEncoder ? ("down", "downsample") : ("up", "upsample")
    func level(_ i: Int) -> String { "\(foreign).\(way).\(i)" }
    func layer(_ i: Int, _ j: Int) -> String { "\(level(i)).block.\(j)" }
    let levels = (0...).prefix { has(level($0)) }.count
    for i in 0..<levels {
      let own = "\(coder).\(way)_blocks.\(isEncoder ? i : levels - 1 - i)"
      add("vae", "\(level(i)).\(sampler).conv", .renamed("\(own).\(sampler)rs.0.conv"))
      for j in (0...).prefix(while: { has(layer(i, $0)) }) {
        add("vae", "\(layer(i, j)).", "\(own).resnets.\(j).", Self.resBlock)
      }
    }
  }
}
