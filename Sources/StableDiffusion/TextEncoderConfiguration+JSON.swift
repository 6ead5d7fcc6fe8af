/// The configuration as a file that says all of it (see `UNetConfiguration`).
extension TextEncoderConfiguration: Encodable {
  private enum Field: String, CodingKey {
    case modelType = "model_type"
    case architectures
    case activation = "hidden_act"
    case vocabulary = "vocab_size"
    case tokens = "max_position_embeddings"
    case width = "hidden_size"
    case hiddenWidth = "intermediate_size"
    case layers = "num_hidden_layers"
    case heads = "num_attention_heads"
    case epsilon = "layer_norm_eps"
    case projection = "projection_dim"
    case endToken = "eos_token_id"
  }

  package func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: Field.self)
    try fields.encode("clip_text_model", forKey: .modelType)
    try fields.encode(
      [projection == nil ? "CLIPTextModel" : "CLIPTextModelWithProjection"], forKey: .architectures)
    try fields.encode(activation.rawValue, forKey: .activation)
    try fields.encode(vocabulary, forKey: .vocabulary)
    try fields.encode(tokens, forKey: .tokens)
    try fields.encode(width, forKey: .width)
    try fields.encode(hiddenWidth, forKey: .hiddenWidth)
    try fields.encode(layers, forKey: .layers)
    try fields.encode(heads, forKey: .heads)
    try fields.encode(epsilon, forKey: .epsilon)
    try fields.encodeIfPresent(projection, forKey: .projection)
    // An end mark of 2 means the largest id, which is the last word.
    try fields.encode(endToken == 2 ? Int32(vocabulary - 1) : endToken, forKey: .endToken)
  }
}
