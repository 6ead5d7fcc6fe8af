import FoundationEssentials
import JSON
import Tensors

/// What a UNet is made of: the checkpoint's `unet/config.json`.
package struct UNetConfiguration: Equatable, Sendable {
  /// One resolution of the network.
  package struct Level: Equatable, Sendable {
    package var channels: Int
    package var resnets: Int
    package var heads: Int
    /// Transformer blocks behind each residual block; all 0 where the level has no attention.
    package var depths: [Int]

    package init(channels: Int, resnets: Int, heads: Int, depths: [Int]) {
      precondition(depths.count == resnets, "\(depths.count) depths for \(resnets) residual blocks")
      (self.channels, self.resnets, self.heads, self.depths) = (channels, resnets, heads, depths)
    }

    /// The same depth behind every residual block.
    package init(channels: Int, resnets: Int, heads: Int, depth: Int) {
      self.init(
        channels: channels, resnets: resnets, heads: heads, depths: Array(repeating: depth, count: resnets))
    }
  }

  /// Picture size and pooled text, added to the time embedding (Podell et al. 2023, section 2.2).
  package struct AddedCondition: Equatable, Sendable {
    /// Width of the pooled text vector.
    package var pooledWidth: Int
    /// Width of the sinusoid of each time id.
    package var timeIDWidth: Int
    /// Of the sinusoids of original size, crop and target size, two numbers each.
    package var timeIDsWidth: Int { 6 * timeIDWidth }

    package init(pooledWidth: Int, timeIDWidth: Int) {
      (self.pooledWidth, self.timeIDWidth) = (pooledWidth, timeIDWidth)
    }
  }

  /// Side of the square latents that the network was trained on.
  package var sampleSize: Int
  /// From full resolution downwards.
  package var down: [Level]
  /// Residual blocks with attention between them; nil where the network has no middle.
  package var middle: Level?
  /// From the lowest resolution upwards.
  package var up: [Level]
  package var groups: Int
  package var epsilon: Float
  package var contextWidth: Int
  package var timeWidth: Int
  package var usesLinearProjection: Bool
  /// How the network is told the timestep.
  package var timestepSinusoid: Sinusoid
  /// How it is told the guidance weight; nil where it is not (only latent consistency models are).
  package var guidanceSinusoid: Sinusoid?
  package var added: AddedCondition?

  /// Channels of the network's input and output.
  package static let latentChannels = 4
}

extension UNetConfiguration {
  /// - Parameter file: what errors call the file.
  package init(json: Data, file: String = "unet/config.json") throws(ModelError) {
    let fields = try ConfigurationFields(json, file: file)
    try Self.refuseUnsupported(fields)

    let channels = try fields.counts("block_out_channels", default: [320, 640, 1280, 1280])
    let levels = channels.count
    guard levels <= 8 else {
      throw fields.inconsistent(
        "block_out_channels", "has \(levels) levels, a latent halves no more than 7 times")
    }
    groups = try fields.count("norm_num_groups", default: 32)
    for width in channels where width % groups != 0 {
      throw fields.inconsistent("block_out_channels", "holds \(width), no multiple of \(groups) groups")
    }

    // The field named after the width of a head has always held the number of heads.
    let headsField = fields["num_attention_heads"] == nil ? "attention_head_dim" : "num_attention_heads"
    let heads = try fields.counts(headsField, perLevel: levels, default: 8)
    for (width, heads) in zip(channels, heads) where width % heads != 0 {
      throw fields.inconsistent(headsField, "holds \(heads), which does not divide \(width) channels")
    }

    let resnets = try fields.counts(
      "layers_per_block", perLevel: levels, default: 2, atMost: ConfigurationFields.mostLayers)
    let attendsDown = try Self.attention(
      fields, "down_block_types", levels: levels, with: "CrossAttnDownBlock2D", without: "DownBlock2D",
      default: [true, true, true, false])
    let attendsUp = try Self.attention(
      fields, "up_block_types", levels: levels, with: "CrossAttnUpBlock2D", without: "UpBlock2D",
      default: [false, true, true, true])

    let depths = try TransformerDepths(fields, levels: levels)
    down = try (0..<levels).map { (i) throws(ModelError) in
      Level(
        channels: channels[i], resnets: resnets[i], heads: heads[i],
        depths: try depths.down(i, layers: resnets[i], attends: attendsDown[i]))
    }
    up = try (0..<levels).map { (i) throws(ModelError) in
      let j = levels - 1 - i
      return Level(
        channels: channels[j], resnets: resnets[j] + 1, heads: heads[j],
        depths: try depths.up(i, layers: resnets[j] + 1, attends: attendsUp[i]))
    }
    middle = try Self.middle(fields, channels: channels.last!, heads: heads.last!, depths)

    sampleSize = fields["sample_size"] == nil ? 64 : try fields.count("sample_size")
    epsilon = Float(try fields.number("norm_eps", default: 1e-5))
    contextWidth = try Self.contextWidth(fields, levels: levels)
    timeWidth = fields["time_embedding_dim"] == nil ? 4 * channels[0] : try fields.count("time_embedding_dim")
    usesLinearProjection = try fields.flag("use_linear_projection", default: false)
    timestepSinusoid = Sinusoid(
      width: channels[0], startsWithCosines: try fields.flag("flip_sin_to_cos", default: true),
      frequencyShift: try fields.number("freq_shift", default: 0))
    guard timestepSinusoid.frequencyShift < Double(channels[0] / 2) else {
      throw fields.inconsistent("freq_shift", "is not below half of \(channels[0]) channels")
    }
    guidanceSinusoid = try Self.guidanceSinusoid(fields)
    added = try Self.added(fields)
  }

  /// What the network is told of the guidance weight, `[1, D]`; nil where it has no layer for it.
  ///
  /// - Parameter weight: nil tells it nothing: zeros, to which the layer adds no bias.
  package func guidance(_ weight: Double?) -> HostTensor? {
    guidanceSinusoid.map { sinusoid in
      weight.map(sinusoid.callAsFunction(guidance:)) ?? HostTensor(shape: [1, sinusoid.width])
    }
  }

  /// The sinusoid of each time id.
  package var timeIDSinusoid: Sinusoid? {
    added.map { added in
      var sinusoid = timestepSinusoid
      sinusoid.width = added.timeIDWidth
      return sinusoid
    }
  }

  /// Refuses text encoders that do not belong to this network.
  package func check(encoders: [TextEncoderConfiguration]) throws(ModelError) {
    let widths = encoders.map(\.width)
    guard widths.reduce(0, +) == contextWidth else {
      throw .contextWidth(network: contextWidth, encoders: widths)
    }
    guard Set(encoders.map(\.tokens)).count == 1 else {
      throw .sequenceLengths(encoders.map(\.tokens))
    }
    guard let added else { return }
    let pooled = encoders.last?.projection
    guard pooled == added.pooledWidth else {
      throw .pooledWidth(network: added.pooledWidth, encoder: pooled)
    }
  }
}

extension UNetConfiguration {
  /// Fields that change what is computed, each with the value that is implemented.
  private static let supported: [(field: String, value: JSONValue)] = [
    ("_class_name", .string("UNet2DConditionModel")), ("act_fn", .string("silu")),
    ("attention_type", .string("default")), ("center_input_sample", .bool(false)),
    ("class_embed_type", .null), ("num_class_embeds", .null), ("class_embeddings_concat", .bool(false)),
    ("conv_in_kernel", .integer(3)), ("conv_out_kernel", .integer(3)), ("cross_attention_norm", .null),
    ("downsample_padding", .integer(1)), ("dual_cross_attention", .bool(false)), ("encoder_hid_dim", .null),
    ("encoder_hid_dim_type", .null), ("mid_block_only_cross_attention", .bool(false)),
    ("mid_block_scale_factor", .integer(1)), ("only_cross_attention", .bool(false)),
    ("out_channels", .integer(4)), ("resnet_out_scale_factor", .integer(1)),
    ("resnet_skip_time_act", .bool(false)), ("resnet_time_scale_shift", .string("default")),
    ("time_embedding_act_fn", .null), ("time_embedding_type", .string("positional")),
    ("timestep_post_act", .null),
  ]

  private static func refuseUnsupported(_ fields: ConfigurationFields) throws(ModelError) {
    let channels = try fields.count("in_channels", default: latentChannels)
    guard channels == latentChannels else { throw .latentChannels(file: fields.file, found: channels) }
    for (field, value) in supported { try fields.require(field, value) }
  }

  /// Which levels attend to the text, from their block types.
  private static func attention(
    _ fields: ConfigurationFields, _ field: String, levels: Int, with: String, without: String,
    default fallback: [Bool]
  ) throws(ModelError) -> [Bool] {
    let names = try fields.texts(field, default: fallback.map { $0 ? with : without })
    guard names.count == levels else {
      throw fields.inconsistent(field, "has \(names.count) entries for \(levels) levels")
    }
    for name in names where name != with && name != without {
      throw .blockType(file: fields.file, found: name, supported: [without, with])
    }
    return names.map { $0 == with }
  }

  private static func contextWidth(_ fields: ConfigurationFields, levels: Int) throws(ModelError) -> Int {
    let widths = try fields.counts("cross_attention_dim", perLevel: levels, default: 1280)
    guard widths.allSatisfy({ $0 == widths[0] }) else {
      throw fields.inconsistent("cross_attention_dim", "differs from level to level")
    }
    return widths[0]
  }

  private static func middle(
    _ fields: ConfigurationFields, channels: Int, heads: Int, _ depths: TransformerDepths
  ) throws(ModelError) -> Level? {
    let types = ["UNetMidBlock2DCrossAttn", "UNetMidBlock2D"]
    if fields.isNull("mid_block_type") { return nil }
    switch try fields.text("mid_block_type", default: types[0]) {
    case types[0]:
      return Level(channels: channels, resnets: 2, heads: heads, depth: try depths.middle())
    case types[1]: return Level(channels: channels, resnets: 1, heads: heads, depth: 0)
    case let other: throw .blockType(file: fields.file, found: other, supported: types + ["null"])
    }
  }

  private static func guidanceSinusoid(_ fields: ConfigurationFields) throws(ModelError) -> Sinusoid? {
    let field = "time_cond_proj_dim"
    guard fields[field] != nil else { return nil }
    let width = try fields.count(field)
    guard let sinusoid = Sinusoid.ofGuidance(width: width) else {
      throw fields.inconsistent(field, "is \(width), and the sinusoids need at least 4")
    }
    return sinusoid
  }

  private static func added(_ fields: ConfigurationFields) throws(ModelError) -> AddedCondition? {
    guard let type = fields["addition_embed_type"] else { return nil }
    guard type == .string("text_time") else {
      throw fields.unsupported("addition_embed_type", type, "null or \"text_time\"")
    }
    let width = try fields.count("addition_time_embed_dim")
    let total = try fields.count("projection_class_embeddings_input_dim")
    var added = AddedCondition(pooledWidth: 0, timeIDWidth: width)
    added.pooledWidth = total - added.timeIDsWidth
    guard added.pooledWidth > 0 else {
      throw fields.inconsistent(
        "projection_class_embeddings_input_dim", "is \(total), which leaves no room for the text vector")
    }
    return added
  }
}
