import WeightStorage

/// `text_encoder/config.json`.
struct TextFields: Encodable {
  let modelType = "clip_text_model"
  let architectures: [String]
  let hiddenAct: String
  let vocabSize: Int
  let maxPositionEmbeddings: Int
  let hiddenSize: Int
  let intermediateSize: Int
  let numHiddenLayers: Int
  let numAttentionHeads: Int
  let projectionDim: Int?
  let eosTokenId: Int

  /// In CLIP's and OpenCLIP's text encoders of every size.
  private static let headWidth = 64

  /// - Throws: `missingTensor`, `unusualShapes`.
  init(_ shapes: Shapes, isOpenCLIP: Bool) throws(WeightFileError) {
    let words = "text_model.embeddings.token_embedding.weight"
    let width = try shapes.size(words, 1)
    guard width % Self.headWidth == 0 else {
      throw shapes.unusual("\(width) channels of the text encoder cannot be heads of \(Self.headWidth)")
    }
    hiddenSize = width
    numAttentionHeads = width / Self.headWidth
    vocabSize = try shapes.size(words, 0)
    eosTokenId = vocabSize - 1
    maxPositionEmbeddings = try shapes.size("text_model.embeddings.position_embedding.weight", 0)
    intermediateSize = try shapes.size("text_model.encoder.layers.0.mlp.fc1.weight", 0)
    numHiddenLayers = shapes.count { "text_model.encoder.layers.\($0)" }
    hiddenAct = isOpenCLIP ? "gelu" : "quick_gelu"
    let projection = "text_projection.weight"
    projectionDim = shapes.has(projection) ? try shapes.size(projection, 0) : nil
    architectures = [shapes.has(projection) ? "CLIPTextModelWithProjection" : "CLIPTextModel"]
  }
}
