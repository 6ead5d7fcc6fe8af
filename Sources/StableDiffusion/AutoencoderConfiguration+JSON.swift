/// The configuration as a file that says all of it (see `UNetConfiguration`).
extension AutoencoderConfiguration: Encodable {
  private enum Field: String, CodingKey {
    case className = "_class_name"
    case channels = "block_out_channels"
    case downTypes = "down_block_types"
    case upTypes = "up_block_types"
    case resnets = "layers_per_block"
    case groups = "norm_num_groups"
    case hasMiddleAttention = "mid_block_add_attention"
    case hasQuantConv = "use_quant_conv"
    case hasPostQuantConv = "use_post_quant_conv"
    case scalingFactor = "scaling_factor"
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: Field.self)
    try fields.encode("AutoencoderKL", forKey: .className)
    try fields.encode(channels, forKey: .channels)
    try fields.encode(channels.map { _ in "DownEncoderBlock2D" }, forKey: .downTypes)
    try fields.encode(channels.map { _ in "UpDecoderBlock2D" }, forKey: .upTypes)
    try fields.encode(resnets, forKey: .resnets)
    try fields.encode(groups, forKey: .groups)
    try fields.encode(hasMiddleAttention, forKey: .hasMiddleAttention)
    try fields.encode(hasQuantConv, forKey: .hasQuantConv)
    try fields.encode(hasPostQuantConv, forKey: .hasPostQuantConv)
    try fields.encode(scalingFactor, forKey: .scalingFactor)
  }
}
