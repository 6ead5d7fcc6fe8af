/// The UNet: `input_blocks`, `middle_block` and `output_blocks` are numbered through all levels.
extension KeyTable {
  private static let resBlock = [
    ("in_layers.0", "norm1"), ("in_layers.2", "conv1"), ("emb_layers.1", "time_emb_proj"),
    ("out_layers.0", "norm2"), ("out_layers.3", "conv2"), ("skip_connection", "conv_shortcut"),
  ]

  /// - Parameter root: `model.diffusion_model.`
  mutating func addDenoiser(_ root: String) {
    for (from, to) in [
      ("time_embed.0", "time_embedding.linear_1"), ("time_embed.2", "time_embedding.linear_2"),
      ("time_embed.cond_proj", "time_embedding.cond_proj"),
      ("label_emb.0.0", "add_embedding.linear_1"), ("label_emb.0.2", "add_embedding.linear_2"),
      ("input_blocks.0.0", "conv_in"), ("out.0", "conv_norm_out"), ("out.2", "conv_out"),
    ] {
      add("unet", root + from, .renamed(to))
    }
    add("unet", "\(root)middle_block.0.", "mid_block.resnets.0.", Self.resBlock)
    addTransformer("\(root)middle_block.1", "mid_block.attentions.0")
    add("unet", "\(root)middle_block.2.", "mid_block.resnets.1.", Self.resBlock)
    addInputBlocks("\(root)input_blocks")
    addOutputBlocks("\(root)output_blocks")
  }

  /// SD 2.x and SDXL have linear layers around their transformers, which stable-diffusion.cpp writes as convolutions.
  private mutating func addTransformer(_ foreign: String, _ own: String) {
    add("unet", foreign, .renamed(own))
    guard family != .sd1 else { return }
    for name in ["proj_in", "proj_out"] { add("unet", "\(foreign).\(name)", .linear("\(own).\(name)")) }
  }

  /// After the first convolution: the layers of a level, then the convolution that halves it, a block each.
  private mutating func addInputBlocks(_ root: String) {
    var (level, layer, n) = (0, 0, 1)
    while true {
      let block = "\(root).\(n)"
      if has("\(block).0.op") {
        add("unet", "\(block).0.op", .renamed("down_blocks.\(level).downsamplers.0.conv"))
        (level, layer) = (level + 1, 0)
      } else if has("\(block).0") {
        add("unet", "\(block).0.", "down_blocks.\(level).resnets.\(layer).", Self.resBlock)
        addTransformer("\(block).1", "down_blocks.\(level).attentions.\(layer)")
        layer += 1
      } else {
        return
      }
      n += 1
    }
  }

  /// A layer each; the last of a level holds the convolution after the doubling too, behind its attention if any.
  private mutating func addOutputBlocks(_ root: String) {
    var (level, layer, n) = (0, 0, 0)
    while has("\(root).\(n)") {
      let block = "\(root).\(n)"
      add("unet", "\(block).0.", "up_blocks.\(level).resnets.\(layer).", Self.resBlock)
      addTransformer("\(block).1", "up_blocks.\(level).attentions.\(layer)")
      layer += 1
      for place in 1...2 where has("\(block).\(place).conv") {
        add("unet", "\(block).\(place).conv", .renamed("up_blocks.\(level).upsamplers.0.conv"))
        (level, layer) = (level + 1, 0)
      }
      n += 1
    }
  }
}
