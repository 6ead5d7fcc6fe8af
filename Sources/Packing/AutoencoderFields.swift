import WeightStorage

/// `vae/config.json`.
struct AutoencoderFields: Encodable {
  let inChannels: Int
  let outChannels: Int
  let latentChannels: Int
  let blockOutChannels: [Int]
  let layersPerBlock: Int
  let downBlockTypes: [String]
  let upBlockTypes: [String]
  let midBlockAddAttention: Bool
  let useQuantConv: Bool
  let usePostQuantConv: Bool
  let scalingFactor: Double
  let sampleSize: Int

  /// - Throws: `missingTensor`, `unusualShapes`.
  init(_ shapes: Shapes, _ family: Family, sampleSize: Int) throws(WeightFileError) {
    func layer(_ i: Int, _ j: Int) -> String { "encoder.down_blocks.\(i).resnets.\(j)" }
    let levels = shapes.count { "encoder.down_blocks.\($0)" }
    var channels: [Int] = []
    for i in 0..<levels { channels.append(try shapes.size("\(layer(i, 0)).conv1.weight", 0)) }
    blockOutChannels = channels
    layersPerBlock = shapes.count { layer(0, $0) }
    downBlockTypes = Array(repeating: "DownEncoderBlock2D", count: levels)
    upBlockTypes = Array(repeating: "UpDecoderBlock2D", count: levels)
    inChannels = try shapes.size("encoder.conv_in.weight", 1)
    outChannels = try shapes.size("decoder.conv_out.weight", 0)
    latentChannels = try shapes.size("decoder.conv_in.weight", 1)
    midBlockAddAttention = shapes.has("decoder.mid_block.attentions.0")
    useQuantConv = shapes.has("quant_conv")
    usePostQuantConv = shapes.has("post_quant_conv")
    scalingFactor = family.scalingFactor
    self.sampleSize = sampleSize
  }
}
