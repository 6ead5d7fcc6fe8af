import FoundationEssentials
import JSON

/// What a tiny autoencoder is made of: the checkpoint's `vae/config.json` with the class `AutoencoderTiny`.
package struct TinyAutoencoderConfiguration: Equatable, Sendable {
  /// Of all levels.
  package var channels: Int
  /// Blocks of each level, from full resolution downwards.
  package var encoderBlocks: [Int]
  /// Blocks of each level, from the lowest resolution upwards.
  package var decoderBlocks: [Int]
  package var scalingFactor: Float

  /// Fields that change what is computed, each with the value that is implemented.
  private static let supported: [(field: String, value: JSONValue)] = [
    ("_class_name", .string("AutoencoderTiny")), ("act_fn", .string("relu")), ("in_channels", .integer(3)),
    ("out_channels", .integer(3)), ("latent_channels", .integer(4)),
    ("upsampling_scaling_factor", .integer(2)),
    ("upsample_fn", .string("nearest")), ("shift_factor", .integer(0)),
  ]

  /// - Parameter file: what errors call the file.
  package init(json: Data, file: String = "vae/config.json") throws(ModelError) {
    let fields = try ConfigurationFields(json, file: file)
    for (field, value) in Self.supported { try fields.require(field, value) }
    encoderBlocks = try fields.counts(
      "num_encoder_blocks", default: [1, 3, 3, 3], atMost: ConfigurationFields.mostLayers)
    decoderBlocks = try fields.counts(
      "num_decoder_blocks", default: [3, 3, 3, 1], atMost: ConfigurationFields.mostLayers)
    var widths: Set<Int> = []
    for (field, blocks) in [
      ("encoder_block_out_channels", encoderBlocks), ("decoder_block_out_channels", decoderBlocks),
    ] {
      let channels = try fields.counts(field, default: [64, 64, 64, 64])
      guard channels.count == 4, blocks.count == 4 else {
        throw fields.inconsistent(
          field, "has \(channels.count) levels and \(blocks.count) of blocks, a latent of 8×8 pixels needs 4")
      }
      widths.formUnion(channels)
      guard widths.count == 1 else {
        throw fields.inconsistent(field, "holds \(channels), and all levels have to be equally wide")
      }
    }
    channels = widths.first!
    scalingFactor = Float(try fields.number("scaling_factor", default: 1))
    guard scalingFactor > 0 else {
      throw fields.inconsistent("scaling_factor", "is \(scalingFactor), not a positive number")
    }
  }
}
