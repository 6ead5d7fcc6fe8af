/// The name of a tensor in a LoRA file, taken apart.
///
///     lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight
///     └──────────────── module ──────────────────┘└──── part ─────┘
struct LoRAKey: Equatable {
  enum Part: Equatable {
    /// A, which reads the layer's input.
    case down
    /// B, which makes the layer's output.
    case up
    /// What the branch is multiplied by, times the rank.
    case alpha
  }

  var module: Substring
  var part: Part

  /// nil for a name with another ending.
  init?(_ name: String) {
    for (suffix, part) in Self.suffixes where name.hasSuffix(suffix) && name.count > suffix.count {
      (module, self.part) = (name.dropLast(suffix.count), part)
      return
    }
    return nil
  }

  /// PEFT and diffusers; kohya-ss; diffusers until 2023.
  private static let suffixes: [(String, Part)] = [
    (".lora_A.weight", .down), (".lora_B.weight", .up),
    (".lora_A.default.weight", .down), (".lora_B.default.weight", .up),
    (".lora_down.weight", .down), (".lora_up.weight", .up),
    (".lora_linear_layer.down.weight", .down), (".lora_linear_layer.up.weight", .up),
    (".lora.down.weight", .down), (".lora.up.weight", .up),
    ("_lora.down.weight", .down), ("_lora.up.weight", .up),
    (".lora.alpha", .alpha), ("_lora.alpha", .alpha), (".alpha", .alpha),
  ]

  /// The other ways to change a model that files of this kind hold, by a part of their tensors' names.
  static func unsupportedKind(of name: String) -> String? {
    if ["clip_l", "clip_g"].contains(name) { return "a text embedding" }  // of SDXL
    if name.hasSuffix(".diff") || name.hasSuffix(".diff_b") { return "a set of whole weight differences" }
    return kinds.first { name.hasPart($0.mark) }?.kind
  }

  private static let kinds: [(mark: String, kind: String)] = [
    ("hada_", "a LoHa (LyCORIS)"), ("lokr_", "a LoKr (LyCORIS)"), ("dora_scale", "a DoRA"),
    ("lora_magnitude_vector", "a DoRA"), ("lora_mid.", "a LoRA with a core tensor (Tucker decomposition)"),
    ("oft_", "an OFT"), ("boft_", "a BOFT"), ("ia3_", "an IA³"), (".on_input", "an IA³"),
    ("glora_", "a GLoRA"), ("lora_embedding_", "a LoRA of an embedding table"),
    ("lora_B.bias", "a LoRA with a bias"),
    ("emb_params", "a text embedding"), ("string_to_param", "a text embedding"),
    ("bundle_emb", "a LoRA with text embeddings"),
  ]

  // MARK: The module

  /// The component that the module's prefix names, nil where it names none, and the rest with `_` for every dot.
  var place: (component: String?, spelling: String) {
    var rest = module
    if rest.hasPrefix("base_model.model.") { rest = rest.dropFirst("base_model.model.".count) }
    let named = Self.prefixes.first { rest.hasPrefix($0.prefix) }
    if let named { rest = rest.dropFirst(named.prefix.count) }
    // A script of diffusers put its own prefix before kohya-ss' names.
    if let again = Self.prefixes.first(where: { rest.hasPrefix($0.prefix) }),
      again.component == named?.component
    {
      rest = rest.dropFirst(again.prefix.count)
    }
    return (named?.component, Self.spelling(rest))
  }

  /// Files differ in whether they write a dot or an underscore, and in naming the text tower.
  static func spelling(_ path: some StringProtocol) -> String {
    let flat = String(path.map { $0 == "." ? "_" : $0 })
    return flat.hasPrefix("text_model_") ? String(flat.dropFirst("text_model_".count)) : flat
  }

  /// LyCORIS names no network: a layer is looked for in all of them.
  private static let prefixes: [(prefix: String, component: String?)] = [
    ("lycoris_", nil),
    ("lora_unet_", "unet"), ("unet.", "unet"), ("model.diffusion_model.", "unet"),
    ("diffusion_model.", "unet"),
    ("lora_te1_", "text_encoder"), ("lora_te2_", "text_encoder_2"), ("lora_te_", "text_encoder"),
    ("text_encoder_2.", "text_encoder_2"), ("text_encoder.", "text_encoder"),
  ]
}
