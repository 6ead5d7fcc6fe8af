import FoundationEssentials
import JSON

/// What an autoencoder is made of: the checkpoint's `vae/config.json`.
package struct AutoencoderConfiguration: Equatable, Sendable {
  /// Channels of each level, from full resolution downwards.
  package var channels: [Int]
  /// Residual blocks of a level of the encoder; the decoder has one more.
  package var resnets: Int
  package var groups: Int
  package var hasMiddleAttention: Bool
  package var hasQuantConv: Bool
  package var hasPostQuantConv: Bool
  /// What latents are multiplied by after encoding.
  package var scalingFactor: Float
  /// Side of the square pictures that it was trained on.
  package var sampleSize: Int

  /// Channels of a latent.
  package static let latentChannels = 4
  /// Of all its norms.
  static let epsilon: Float = 1e-6
}

extension AutoencoderConfiguration {
  /// Fields that change what is computed, each with the value that is implemented.
  private static let supported: [(field: String, value: JSONValue)] = [
    ("_class_name", .string("AutoencoderKL")), ("act_fn", .string("silu")), ("in_channels", .integer(3)),
    ("out_channels", .integer(3)), ("latent_channels", .integer(4)), ("latents_mean", .null),
    ("latents_std", .null), ("shift_factor", .integer(0)),
    ("down_block_types", .string("DownEncoderBlock2D")), ("up_block_types", .string("UpDecoderBlock2D")),
  ]

  /// - Parameter file: what errors call the file.
  package init(json: Data, file: String = "vae/config.json") throws(ModelError) {
    let fields = try ConfigurationFields(json, file: file)
    for (field, value) in Self.supported { try fields.require(field, value) }
    channels = try fields.counts("block_out_channels")
    guard channels.count == 4 else {
      throw fields.inconsistent(
        "block_out_channels", "has \(channels.count) levels, a latent of 8×8 pixels needs 4")
    }
    for field in ["down_block_types", "up_block_types"] {
      let count = try fields.texts(field).count
      guard count == channels.count else {
        throw fields.inconsistent(field, "has \(count) entries for \(channels.count) levels")
      }
    }
    groups = try fields.count("norm_num_groups", default: 32)
    for width in channels where width % groups != 0 {
      throw fields.inconsistent("block_out_channels", "holds \(width), no multiple of \(groups) groups")
    }
    resnets = try fields.count("layers_per_block", default: 1, atMost: ConfigurationFields.mostLayers)
    hasMiddleAttention = try fields.flag("mid_block_add_attention", default: true)
    hasQuantConv = try fields.flag("use_quant_conv", default: true)
    hasPostQuantConv = try fields.flag("use_post_quant_conv", default: true)
    scalingFactor = Float(try fields.number("scaling_factor", default: 0.18215))
    guard scalingFactor > 0 else {
      throw fields.inconsistent("scaling_factor", "is \(scalingFactor), not a positive number")
    }
    sampleSize = try fields.count("sample_size", default: 32)
  }
}
