/// The configuration as a file that says all of it (see `UNetConfiguration`).
extension TinyAutoencoderConfiguration: Encodable {
  private enum Field: String, CodingKey {
    case className = "_class_name"
    case encoderChannels = "encoder_block_out_channels"
    case decoderChannels = "decoder_block_out_channels"
    case encoderBlocks = "num_encoder_blocks"
    case decoderBlocks = "num_decoder_blocks"
    case activation = "act_fn"
    case scalingFactor = "scaling_factor"
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: Field.self)
    try fields.encode("AutoencoderTiny", forKey: .className)
    try fields.encode("relu", forKey: .activation)
    try fields.encode(encoderBlocks.map { _ in channels }, forKey: .encoderChannels)
    try fields.encode(decoderBlocks.map { _ in channels }, forKey: .decoderChannels)
    try fields.encode(encoderBlocks, forKey: .encoderBlocks)
    try fields.encode(decoderBlocks, forKey: .decoderBlocks)
    try fields.encode(scalingFactor, forKey: .scalingFactor)
  }
}
