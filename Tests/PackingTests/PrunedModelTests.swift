import Foundation
import Packing
import Pentimento
import StableDiffusion
import TestSupport
import Testing

/// SSD-1B and Segmind-Vega (Gupta et al. 2024, "Progressive Knowledge Distillation of Stable Diffusion XL"): SDXL with
/// transformer blocks and the middle's attention taken out.
@Suite("Pruned SDXL") struct PrunedModelTests {
  /// Transformer blocks left behind each layer, from the first block to the last.
  struct Pruned: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var input: [Int: Int]
    var output: [Int: Int]
    /// As published.
    var fields: [String: String]
  }

  static let models = [
    Pruned(
      testDescription: "SSD-1B", input: [4: 2, 5: 2, 7: 4, 8: 4],
      output: [0: 4, 1: 4, 2: 10, 3: 2, 4: 1, 5: 1],
      fields: [
        "transformer_layers_per_block": "[1, [2, 2], [4, 4]]",
        "reverse_transformer_layers_per_block": "[[4, 4, 10], [2, 1, 1], 1]",
      ]),
    Pruned(
      testDescription: "Segmind-Vega", input: [4: 1, 5: 1, 7: 2, 8: 2],
      output: [0: 2, 1: 2, 2: 2, 3: 1, 4: 1, 5: 1], fields: ["transformer_layers_per_block": "[1, 1, 2]"]),
  ]

  /// SDXL's published names without those that pruning took out.
  private func shapes(_ model: Pruned) throws -> [(name: String, shape: [Int])] {
    let root = "model.diffusion_model."
    return try SingleFile.published("sdxl").filter { name, _ in
      if name.hasPrefix("\(root)middle_block.") { return name.hasPrefix("\(root)middle_block.0.") }
      for (way, depths) in [("input", model.input), ("output", model.output)] {
        for (block, depth) in depths {
          let prefix = "\(root)\(way)_blocks.\(block).1.transformer_blocks."
          guard name.hasPrefix(prefix) else { continue }
          return Int(name.dropFirst(prefix.count).prefix { $0 != "." })! < depth
        }
      }
      return true
    }
  }

  @Test("opens from its names and shapes, with the configuration that was published", arguments: models)
  func opens(model: Pruned) throws {
    let file = try SingleFile(sparse: shapes(model))
    _ = try Model(at: URL(fileURLWithPath: file.path))
    let found = try UNetConfiguration(json: SingleFileModel(path: file.path).data("unet/config.json"))
    var fields = try #require(
      JSONSerialization.jsonObject(with: Data(Self.publishedXL.utf8)) as? [String: Any])
    fields["mid_block_type"] = "UNetMidBlock2D"
    for (field, value) in model.fields {
      fields[field] = try JSONSerialization.jsonObject(with: Data(value.utf8))
    }
    #expect(try found == UNetConfiguration(json: JSONSerialization.data(withJSONObject: fields)))
    #expect(
      found.down.map(\.depths) == [
        [0, 0], [model.input[4]!, model.input[5]!], [model.input[7]!, model.input[8]!],
      ])
    #expect(found.up.map(\.depths).joined().map { $0 } == (0..<6).map { model.output[$0]! } + [0, 0, 0])
    #expect(found.middle?.resnets == 1 && found.middle?.depths == [0])
  }

  private static let publishedXL = """
    {"_class_name": "UNet2DConditionModel", "addition_embed_type": "text_time", "addition_time_embed_dim": 256,
     "attention_head_dim": [5, 10, 20], "block_out_channels": [320, 640, 1280], "cross_attention_dim": 2048,
     "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"], "layers_per_block": 2,
     "projection_class_embeddings_input_dim": 2816, "sample_size": 128, "use_linear_projection": true,
     "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"]}
    """
}
