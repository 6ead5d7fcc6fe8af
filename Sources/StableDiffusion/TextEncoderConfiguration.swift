import FoundationEssentials
import JSON

/// What a text encoder is made of: the checkpoint's `text_encoder/config.json`.
package struct TextEncoderConfiguration: Equatable, Sendable {
  package enum Activation: String, Sendable {
    case quickGELU = "quick_gelu"
    case gelu
  }

  package var vocabulary: Int
  /// Length of every token sequence.
  package var tokens: Int
  package var width: Int
  package var hiddenWidth: Int
  package var layers: Int
  package var heads: Int
  package var activation: Activation
  package var epsilon: Float
  /// Width of the pooled vector; nil where the encoder has no projection.
  package var projection: Int?
  /// The token that ends a prompt.
  package var endToken: Int32
}

extension TextEncoderConfiguration {
  /// - Parameter file: what errors call the file.
  package init(json: Data, file: String = "text_encoder/config.json") throws(ModelError) {
    let fields = try ConfigurationFields(json, file: file)
    try fields.require("model_type", .string("clip_text_model"))
    let architecture = try fields.texts("architectures", default: ["CLIPTextModel"]).first ?? "CLIPTextModel"
    guard ["CLIPTextModel", "CLIPTextModelWithProjection"].contains(architecture) else {
      throw fields.unsupported(
        "architectures", .string(architecture), "CLIPTextModel or CLIPTextModelWithProjection")
    }
    let activationName = try fields.text("hidden_act", default: "quick_gelu")
    guard let activation = Activation(rawValue: activationName) else {
      throw fields.unsupported("hidden_act", .string(activationName), "quick_gelu or gelu")
    }

    vocabulary = try fields.count("vocab_size", default: 49408)
    tokens = try fields.count("max_position_embeddings", default: 77)
    width = try fields.count("hidden_size", default: 512)
    hiddenWidth = try fields.count("intermediate_size", default: 2048)
    layers = try fields.count("num_hidden_layers", default: 12, atMost: ConfigurationFields.mostLayers)
    heads = try fields.count("num_attention_heads", default: 8)
    self.activation = activation
    epsilon = Float(try fields.number("layer_norm_eps", default: 1e-5))
    projection =
      architecture == "CLIPTextModelWithProjection" ? try fields.count("projection_dim", default: 512) : nil
    endToken = try fields.token("eos_token_id", default: 49407)
    guard width % heads == 0 else {
      throw fields.inconsistent("num_attention_heads", "is \(heads), which does not divide \(width) channels")
    }
    guard tokens > 2 else {
      throw fields.inconsistent("max_position_embeddings", "is \(tokens), which leaves no room for a word")
    }
  }

  /// Refuses ids that have no row in the embedding.
  package func check(ids: [Int32]) throws(ModelError) {
    for id in ids where !(0..<vocabulary).contains(Int(id)) {
      throw .unknownToken(id: Int(id), vocabulary: vocabulary)
    }
  }

  /// Row of the sequence whose state stands for the whole prompt: the first end mark.
  ///
  /// Configurations from before the end mark was recorded say 2; there it is the largest id of the vocabulary.
  package func endPosition(in ids: [Int32]) -> Int {
    let end = endToken == 2 ? ids.max() : endToken
    return ids.firstIndex { $0 == end } ?? 0
  }
}
