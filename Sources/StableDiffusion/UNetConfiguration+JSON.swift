/// The configuration as a file that says all of it: every field that changes what is computed, none by default. Two
/// files that mean the same network become the same text.
extension UNetConfiguration: Encodable {
  private enum Field: String, CodingKey {
    case className = "_class_name"
    case sampleSize = "sample_size"
    case inChannels = "in_channels"
    case outChannels = "out_channels"
    case channels = "block_out_channels"
    case resnets = "layers_per_block"
    case heads = "attention_head_dim"
    case depths = "transformer_layers_per_block"
    case upDepths = "reverse_transformer_layers_per_block"
    case downTypes = "down_block_types"
    case middleType = "mid_block_type"
    case upTypes = "up_block_types"
    case groups = "norm_num_groups"
    case epsilon = "norm_eps"
    case contextWidth = "cross_attention_dim"
    case timeWidth = "time_embedding_dim"
    case usesLinearProjection = "use_linear_projection"
    case startsWithCosines = "flip_sin_to_cos"
    case frequencyShift = "freq_shift"
    case guidanceWidth = "time_cond_proj_dim"
    case addedType = "addition_embed_type"
    case timeIDWidth = "addition_time_embed_dim"
    case addedWidth = "projection_class_embeddings_input_dim"
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: Field.self)
    try fields.encode("UNet2DConditionModel", forKey: .className)
    try fields.encode(sampleSize, forKey: .sampleSize)
    try fields.encode(Self.latentChannels, forKey: .inChannels)
    try fields.encode(Self.latentChannels, forKey: .outChannels)
    try fields.encode(down.map(\.channels), forKey: .channels)
    try fields.encode(down.map(\.resnets), forKey: .resnets)
    try fields.encode(down.map(\.heads), forKey: .heads)
    // The first of the last level is the middle's too, even where that level has no attention.
    var depths = down.map { Depths($0) }
    if let middle, down.last?.attends == false { depths[depths.count - 1] = Depths(middle) }
    try fields.encode(depths, forKey: .depths)
    try fields.encode(up.map { Depths($0) }, forKey: .upDepths)
    try fields.encode(
      down.map { $0.attends ? "CrossAttnDownBlock2D" : "DownBlock2D" }, forKey: .downTypes)
    try fields.encode(up.map { $0.attends ? "CrossAttnUpBlock2D" : "UpBlock2D" }, forKey: .upTypes)
    let middleType = middle.map { $0.attends ? "UNetMidBlock2DCrossAttn" : "UNetMidBlock2D" }
    try fields.encode(middleType, forKey: .middleType)
    try fields.encode(groups, forKey: .groups)
    try fields.encode(epsilon, forKey: .epsilon)
    try fields.encode(contextWidth, forKey: .contextWidth)
    try fields.encode(timeWidth, forKey: .timeWidth)
    try fields.encode(usesLinearProjection, forKey: .usesLinearProjection)
    try fields.encode(timestepSinusoid.startsWithCosines, forKey: .startsWithCosines)
    try fields.encode(timestepSinusoid.frequencyShift, forKey: .frequencyShift)
    try fields.encodeIfPresent(guidanceSinusoid?.width, forKey: .guidanceWidth)
    guard let added else { return }
    try fields.encode("text_time", forKey: .addedType)
    try fields.encode(added.timeIDWidth, forKey: .timeIDWidth)
    try fields.encode(added.pooledWidth + added.timeIDsWidth, forKey: .addedWidth)
  }
}

/// Transformer blocks of a level: one number where all layers are alike, otherwise one for each.
private struct Depths: Encodable {
  private let depths: [Int]

  init(_ level: UNetConfiguration.Level) { depths = level.attends ? level.depths : [1] }

  func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    if Set(depths).count == 1 { try value.encode(depths[0]) } else { try value.encode(depths) }
  }
}

extension UNetConfiguration.Level {
  fileprivate var attends: Bool { depths.contains { $0 > 0 } }
}
