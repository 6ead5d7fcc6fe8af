/// The UNet: `input_blocks`, `middle_block` and `output_blocks` are numbered through all levels.
extension KeyTable {
  private static let prefix = "model.diffusion_model"

  private static let resBlock = [
    ("in_layers.0", "norm1"), ("in_layers.2", "conv1"), ("emb_layers.1", "time_emb_proj"),
    ("out_layers.0", "norm2"), ("out_layers.3", "conv2"), ("skip_connection", "conv_shortcut"),
  ]

  mutating func addDenoiser() {
    let root = Self.prefix
    for (from, to) in [
      ("time_embed.0", "time_embedding.linear_1"), ("time_embed.2", "time_embedding.linear_2"),
      ("label_emb.0.0", "add_embedding.linear_1"), ("label_emb.0.2", "add_embedding.linear_2"),
      ("input_blocks.0.0", "conv_in"), ("out.0", "conv_norm_out"), ("out.2", "conv_out"),
      ("middle_block.1", "mid_block.attentions.0"),
    ] {
      add("unet", "\(root).\(from)", .renamed(to))
    }
    add("unet", "\(root).middle_block.0", "mid_block.resnets.0", Self.resBlock)
    add("unet", "\(root).middle_block.2", "mid_block.resnets.1", Self.resBlock)
    addInputBlocks()
    addOutputBlocks()
  }

  /// After the first convolution: the layers of a level, then the convolution that halves it, a block each.
  private mutating func addInputBlocks() {
    var (level, layer, n) = (0, 0, 1)
    while true {
      let block = "\(Self.prefix).input_blocks.\(n)"
      if has("\(block).0.op.weight") {
        add("unet", "\(block).0.op", .renamed("down_blocks.\(level).downsamplers.0.conv"))
        (level, layer) = (level + 1, 0)
      } else if has("\(block).0.in_layers.0.weight") {
        add("unet", "\(block).0", "down_blocks.\(level).resnets.\(layer)", Self.resBlock)
        add("unet", "\(block).1", .renamed("down_blocks.\(level).attentions.\(layer)"))
        layer += 1
      } else {
        return
      }
      n += 1
    }
  }

  /// A layer each; the last of a level holds the convolution after the doubling too, behind its attention if any.
  private mutating func addOutputBlocks() {
    var (level, layer, n) = (0, 0, 0)
    while has("\(Self.prefix).output_blocks.\(n).0.in_layers.0.weight") {
      let block = "\(Self.prefix).output_blocks.\(n)"
      add("unet", "\(block).0", "up_blocks.\(level).resnets.\(layer)", Self.resBlock)
      add("unet", "\(block).1", .renamed("up_blocks.\(level).attentions.\(layer)"))
      layer += 1
      for place in 1...2 where has("\(block).\(place).conv.weight") {
        add("unet", "\(block).\(place).conv", .renamed("up_blocks.\(level).upsamplers.0.conv"))
        (level, layer) = (level + 1, 0)
      }
      n += 1
    }
  }
}
