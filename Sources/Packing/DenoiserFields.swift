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
  let transformerLayersPerBlock: [Int]
  /// The fields' names speak of widths; they have always held numbers of heads.
  let attentionHeadDim: [Int]
  let crossAttentionDim: Int
  let useLinearProjection: Bool
  let additionEmbedType: String?
  let additionTimeEmbedDim: Int?
  let projectionClassEmbeddingsInputDim: Int?

  /// Sinusoid of each time id (Podell et al. 2024, section 2.2).
  private static let timeIDWidth = 256

  /// - Throws: `missingTensor`, `unusualShapes`.
  init(_ shapes: Shapes, _ family: Family, sampleSize: Int) throws(WeightFileError) {
    func down(_ i: Int) -> String { "down_blocks.\(i)" }
    let levels = shapes.count { "\(down($0)).resnets.0.conv1.weight" }
    var channels: [Int] = []
    for i in 0..<levels { channels.append(try shapes.size("\(down(i)).resnets.0.conv1.weight", 0)) }
    blockOutChannels = channels
    layersPerBlock = (0..<levels).map { i in shapes.count { "\(down(i)).resnets.\($0).conv1.weight" } }

    let downDepths = try (0..<levels).map { (i) throws(WeightFileError) in
      try Self.depth(down(i), shapes)
    }
    let upDepths = try (0..<levels).map { (i) throws(WeightFileError) in
      try Self.depth("up_blocks.\(levels - 1 - i)", shapes)
    }
    let middle = try Self.depth("mid_block", shapes)
    transformerLayersPerBlock = try (0..<levels).map { (i) throws(WeightFileError) in
      let depths = Set([downDepths[i], upDepths[i], i == levels - 1 ? middle : 0]).subtracting([0])
      guard depths.count <= 1 else { throw shapes.unusual("level \(i) has transformers of several depths") }
      return depths.first ?? 1
    }
    downBlockTypes = downDepths.map { $0 > 0 ? "CrossAttnDownBlock2D" : "DownBlock2D" }
    upBlockTypes = upDepths.reversed().map { $0 > 0 ? "CrossAttnUpBlock2D" : "UpBlock2D" }

    attentionHeadDim = try channels.map { (width) throws(WeightFileError) in
      if family == .sd1 { return 8 }
      guard width % 64 == 0 else { throw shapes.unusual("\(width) channels cannot be heads of 64") }
      return width / 64
    }
    let attention = "mid_block.attentions.0"
    crossAttentionDim = try shapes.size("\(attention).transformer_blocks.0.attn2.to_k.weight", 1)
    useLinearProjection = shapes.shapes["\(attention).proj_in.weight"]?.count == 2

    inChannels = try shapes.size("conv_in.weight", 1)
    outChannels = try shapes.size("conv_out.weight", 0)
    self.sampleSize = sampleSize
    let added = "add_embedding.linear_1.weight"
    let isTold = shapes.has(added)
    additionEmbedType = isTold ? "text_time" : nil
    additionTimeEmbedDim = isTold ? Self.timeIDWidth : nil
    projectionClassEmbeddingsInputDim = isTold ? try shapes.size(added, 1) : nil
  }

  /// Transformer blocks behind each residual block of a level, 0 where it has no attention.
  private static func depth(_ block: String, _ shapes: Shapes) throws(WeightFileError) -> Int {
    func depth(_ layer: Int) -> Int {
      shapes.count { "\(block).attentions.\(layer).transformer_blocks.\($0).norm1.weight" }
    }
    let layers = block == "mid_block" ? 1 : shapes.count { "\(block).resnets.\($0).conv1.weight" }
    let depths = Set((0..<layers).map(depth))
    guard depths.count <= 1 else { throw shapes.unusual("\(block) has transformers of several depths") }
    return depths.first ?? 0
  }
}
