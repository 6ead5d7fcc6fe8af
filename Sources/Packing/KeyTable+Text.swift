/// The text encoders: CLIP's from transformers, with the names that the networks use, and OpenCLIP's with its own.
extension KeyTable {
  /// - Parameter foreign: `cond_stage_model.transformer`. Files of some tools leave out `text_model`.
  mutating func addCLIP(_ component: String, _ foreign: String) {
    for part in ["embeddings", "encoder", "final_layer_norm"] {
      add(component, "\(foreign).text_model.\(part)", .renamed("text_model.\(part)"))
      add(component, "\(foreign).\(part)", .renamed("text_model.\(part)"))
    }
  }

  /// - Parameter foreign: `cond_stage_model.model`.
  mutating func addOpenCLIP(_ component: String, _ foreign: String) {
    add(
      component, foreign, "text_model",
      [
        ("token_embedding", "embeddings.token_embedding"),
        ("positional_embedding", "embeddings.position_embedding.weight"), ("ln_final", "final_layer_norm"),
      ])
    if !isIgnored("\(foreign).text_projection") {
      add(component, "\(foreign).text_projection", .transposed("text_projection.weight"))
    }
    var n = 0
    while has("\(foreign).transformer.resblocks.\(n).ln_1.weight"),
      !isIgnored("\(foreign).transformer.resblocks.\(n)")
    {
      addLayer(component, "\(foreign).transformer.resblocks.\(n)", "text_model.encoder.layers.\(n)")
      n += 1
    }
  }

  /// Queries, keys and values are rows of one matrix.
  private mutating func addLayer(_ component: String, _ foreign: String, _ own: String) {
    add(
      component, foreign, own,
      [
        ("ln_1", "layer_norm1"), ("ln_2", "layer_norm2"), ("attn.out_proj", "self_attn.out_proj"),
        ("mlp.c_fc", "mlp.fc1"), ("mlp.c_proj", "mlp.fc2"),
      ])
    for kind in ["weight", "bias"] {
      add(
        component, "\(foreign).attn.in_proj_\(kind)",
        .rows(["q", "k", "v"].map { "\(own).self_attn.\($0)_proj.\(kind)" }))
    }
  }
}
