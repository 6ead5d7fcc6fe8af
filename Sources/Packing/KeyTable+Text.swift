/// The text encoders: CLIP's from transformers, with the names that the networks use, and OpenCLIP's with its own.
extension KeyTable {
  /// Files of some tools leave out `text_model`. stable-diffusion.cpp gives OpenCLIP's encoders these names and leaves
  /// their weights fused and transposed.
  ///
  /// - Parameter foreign: `cond_stage_model.transformer.`
  mutating func addCLIP(_ component: String, _ foreign: String) {
    for part in ["embeddings", "encoder", "final_layer_norm"] {
      for root in ["\(foreign)text_model.", foreign] where !isIgnored("\(root)\(part)") {
        add(component, "\(root)\(part)", .renamed("text_model.\(part)"))
      }
    }
    if !isIgnored("\(foreign)text_projection") {
      add(component, "\(foreign)text_projection", .renamed("text_projection"))
      add(component, "\(foreign)text_model.text_projection", .transposed("text_projection.weight"))
      add(component, "\(foreign)text_model.text_projection.weight", .renamed("text_projection.weight"))
    }
    var n = 0
    while case let layer = "\(foreign)text_model.encoder.layers.\(n)", has("\(layer).self_attn.in_proj"),
      !isIgnored(layer)
    {
      addFused(component, "\(layer).self_attn.in_proj.", "text_model.encoder.layers.\(n)")
      n += 1
    }
  }

  /// - Parameter foreign: `cond_stage_model.model.`
  mutating func addOpenCLIP(_ component: String, _ foreign: String) {
    add(
      component, foreign, "text_model.",
      [
        ("token_embedding", "embeddings.token_embedding"),
        ("positional_embedding", "embeddings.position_embedding.weight"), ("ln_final", "final_layer_norm"),
      ])
    if !isIgnored("\(foreign)text_projection") {
      add(component, "\(foreign)text_projection", .transposed("text_projection.weight"))
      // A layer's weight, as transformers has it: converters that call it so have turned it.
      add(component, "\(foreign)text_projection.weight", .renamed("text_projection.weight"))
    }
    var n = 0
    while has("\(foreign)transformer.resblocks.\(n)"),
      !isIgnored("\(foreign)transformer.resblocks.\(n)")
    {
      addLayer(component, "\(foreign)transformer.resblocks.\(n)", "text_model.encoder.layers.\(n)")
      n += 1
    }
  }

  private mutating func addLayer(_ component: String, _ foreign: String, _ own: String) {
    add(
      component, "\(foreign).", "\(own).",
      [
        ("ln_1", "layer_norm1"), ("ln_2", "layer_norm2"), ("attn.out_proj", "self_attn.out_proj"),
        ("mlp.c_fc", "mlp.fc1"), ("mlp.c_proj", "mlp.fc2"),
      ])
    addFused(component, "\(foreign).attn.in_proj_", own)
  }

  /// Queries, keys and values are rows of one matrix.
  private mutating func addFused(_ component: String, _ foreign: String, _ own: String) {
    for kind in ["weight", "bias"] {
      add(
        component, "\(foreign)\(kind)",
        .rows(["q", "k", "v"].map { "\(own).self_attn.\($0)_proj.\(kind)" }))
    }
  }
}
