import WeightStorage

/// `unet/config.json`.
struct DenoiserFields: Encodable {
  let inChannels: Int
  let outChannels: Int
  let sampleSize: Int
  let blockOutChannels: [Int]
  let layersPerBlock: [Int]
  let downBlockTypes: [String]
  let upBlockTypes: [String]
  let midBlockType: MiddleType
  let transformerLayersPerBlock: [Depths]
  let reverseTransformerLayersPerBlock: [Depths]?
  /// The fields' names speak of widths; they have always held numbers of heads.
  let attentionHeadDim: [Int]
  let crossAttentionDim: Int
  let useLinearProjection: Bool
  let additionEmbedType: String?
  let additionTimeEmbedDim: Int?
  let projectionClassEmbeddingsInputDim: Int?
  /// Of models that are told the guidance weight.
  let timeCondProjDim: Int?

  /// Sinusoid of each time id (Podell et al. 2024, section 2.2).
  private static let timeIDWidth = 256

  /// - Throws: `missingTensor`, `unusualShapes`.
  init(_ shapes: Shapes, _ family: Family, sampleSize: Int) throws(WeightFileError) {
    let levels = shapes.count { "down_blocks.\($0)" }
    var channels: [Int] = []
    for i in 0..<levels { channels.append(try shapes.size("down_blocks.\(i).resnets.0.conv1.weight", 0)) }
    blockOutChannels = channels
    layersPerBlock = (0..<levels).map { i in shapes.count { "down_blocks.\(i).resnets.\($0)" } }

    let downDepths = (0..<levels).map { Self.depths("down_blocks.\($0)", shapes) }
    let upDepths = (0..<levels).map { Self.depths("up_blocks.\($0)", shapes) }
    let middle = shapes.count { "mid_block.attentions.0.transformer_blocks.\($0)" }
    for (i, depths) in (downDepths + upDepths).enumerated() where Set(depths.map { $0 == 0 }).count > 1 {
      throw shapes.unusual(
        "block \(i % levels) has transformers behind some of its layers and not behind others")
    }
    let attends = (down: downDepths.map { ($0.max() ?? 0) > 0 }, up: upDepths.map { ($0.max() ?? 0) > 0 })
    downBlockTypes = attends.down.map { $0 ? "CrossAttnDownBlock2D" : "DownBlock2D" }
    upBlockTypes = attends.up.map { $0 ? "CrossAttnUpBlock2D" : "UpBlock2D" }
    midBlockType = middle > 0 ? .attending : shapes.has("mid_block") ? .residual : .none
    (transformerLayersPerBlock, reverseTransformerLayersPerBlock) =
      Self.depths(down: downDepths, middle: middle, up: upDepths)

    attentionHeadDim = try channels.map { (width) throws(WeightFileError) in
      if family == .sd1 { return 8 }
      guard width % 64 == 0 else { throw shapes.unusual("\(width) channels cannot be heads of 64") }
      return width / 64
    }
    let attending = shapes.names.filter { $0.hasSuffix(".attn2.to_k.weight") }.min()
    guard let attending else { throw shapes.unusual("its noise network does not read the text") }
    crossAttentionDim = try shapes.size(attending, 1)
    useLinearProjection = shapes.names.contains {
      $0.hasSuffix(".proj_in.weight") && shapes.shapes[$0]?.count == 2
    }

    inChannels = try shapes.size("conv_in.weight", 1)
    outChannels = try shapes.size("conv_out.weight", 0)
    self.sampleSize = sampleSize
    let guidance = "time_embedding.cond_proj.weight"
    timeCondProjDim = shapes.has(guidance) ? try shapes.size(guidance, 1) : nil
    let added = "add_embedding.linear_1.weight"
    let isTold = shapes.has(added)
    additionEmbedType = isTold ? "text_time" : nil
    additionTimeEmbedDim = isTold ? Self.timeIDWidth : nil
    projectionClassEmbeddingsInputDim = isTold ? try shapes.size(added, 1) : nil
  }

  /// Transformer blocks behind each residual block of a block.
  private static func depths(_ block: String, _ shapes: Shapes) -> [Int] {
    (0..<shapes.count { "\(block).resnets.\($0)" }).map { layer in
      shapes.count { "\(block).attentions.\(layer).transformer_blocks.\($0)" }
    }
  }

  /// One number for each level where that says all, as for every published model that was not pruned; else a list
  /// for each block, on both ways.
  private static func depths(
    down: [[Int]], middle: Int, up: [[Int]]
  ) -> (down: [Depths], up: [Depths]?) {
    let levels = down.indices.map { i -> Set<Int> in
      let middle = i == down.count - 1 ? [middle] : []
      return Set(down[i] + up[down.count - 1 - i] + middle).subtracting([0])
    }
    guard levels.contains(where: { $0.count > 1 }) else {
      return (levels.map { .same($0.first ?? 1) }, nil)
    }
    func fields(_ blocks: [[Int]]) -> [Depths] {
      blocks.map { Set($0) == [0] ? .same(1) : Set($0).count == 1 ? .same($0[0]) : .each($0) }
    }
    return (fields(down), fields(up))
  }
}

/// Transformer blocks behind the layers of a block.
enum Depths: Encodable {
  case same(Int)
  case each([Int])

  func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    switch self {
    case .same(let depth): try value.encode(depth)
    case .each(let depths): try value.encode(depths)
    }
  }
}

/// What is between the two ways.
enum MiddleType: Encodable {
  case attending, residual, none

  func encode(to encoder: any Encoder) throws {
    var value = encoder.singleValueContainer()
    switch self {
    case .attending: try value.encode("UNetMidBlock2DCrossAttn")
    case .residual: try value.encode("UNetMidBlock2D")
    case .none: try value.encodeNil()
    }
  }
}
