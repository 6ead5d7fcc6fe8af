import WeightStorage

/// A kind of files that hold no model of the three families, told by names that only its tensors have.
struct Stranger: Sendable {
  /// What a name begins with, behind the prefix of a noise network in a whole model or without it.
  var beginnings: [String] = []
  /// What stands anywhere in a name.
  var parts: [String] = []
  /// What it ends with.
  var ends: [String] = []
  var kind: String
  /// The next step.
  var advice: String

  private static let otherNetwork = "use a model of the Stable Diffusion 1, 2 or XL family"

  /// The first that fits is meant: a control network may be stored as differences of low rank.
  private static let all = [
    Stranger(
      beginnings: ["control_model.", "controlnet_", "input_hint_block.", "lora_controlnet"],
      kind: "a ControlNet", advice: "control networks are not read; name the model that it guides"),
    Stranger(
      beginnings: ["adapter.body.", "body.0.block1.", "body.0.resnets."],
      kind: "a T2I adapter", advice: "adapters are not read; name the model that it guides"),
    Stranger(
      beginnings: ["image_proj.", "ip_adapter."], parts: [".to_k_ip."],
      kind: "an IP-Adapter", advice: "picture prompts are not read; name the model that it is for"),
    Stranger(
      beginnings: ["lora_"], parts: [".lora", ".hada_w", ".lokr_w", ".oft_blocks"], ends: [".alpha"],
      kind: "a LoRA", advice: "name the model that it was made for, and this file as its LoRA"),
    Stranger(
      parts: [".motion_modules.", ".time_stack.", ".temporal_transformer_blocks."],
      kind: "a model of videos (AnimateDiff, Stable Video Diffusion)", advice: "use a model of pictures"),
    Stranger(
      beginnings: ["conditioner.embedders.0.model."],
      kind: "the refiner of Stable Diffusion XL", advice: "use the base model"),
    Stranger(
      beginnings: ["noise_augmentor."],
      kind: "an unCLIP model, which makes variations of a picture", advice: "use the plain text-to-image model"),
    Stranger(
      beginnings: [
        "joint_blocks.", "double_blocks.", "double_layers.", "transformer_blocks.", "single_transformer_blocks.",
        "blocks.0.", "cap_embedder.", "adaln_single.",
      ],
      kind: "a transformer (Stable Diffusion 3, Flux, PixArt, …)", advice: otherNetwork),
    Stranger(
      beginnings: ["clip_txt_mapper.", "effnet_mapper."], parts: [".channelwise."],
      kind: "a part of Stable Cascade", advice: otherNetwork),
    Stranger(
      beginnings: ["encoder_hid_proj."], kind: "a part of DeepFloyd IF or Kandinsky", advice: otherNetwork),
    Stranger(
      beginnings: ["encoder.block.", "vision_model."],
      kind: "an encoder of another family (T5, CLIP's of pictures)", advice: otherNetwork),
    Stranger(
      beginnings: ["conv_first.", "model.0.", "body.0.rdb"], kind: "an upscaler", advice: otherNetwork),
    Stranger(beginnings: ["model.layers."], kind: "a language model", advice: otherNetwork),
  ]

  /// A few rows for a text encoder's table, called after what they mean: `emb_params`, `<cat>`, `clip_l` and `clip_g`.
  private static let embedding = Stranger(
    kind: "a textual inversion", advice: "such words are not read; describe the subject, or use a LoRA of it")

  /// Why a file is not used, from its tensors; nil if nothing speaks against it.
  static func reason(_ tensors: [TensorEntry]) -> String? {
    let isEmbedding = !tensors.isEmpty && tensors.allSatisfy { !$0.name.contains(".") && $0.shape.count == 2 }
    let stranger = isEmbedding ? embedding : all.first { stranger in tensors.contains { stranger.has($0.name) } }
    return stranger.map { "it is \($0.kind); \($0.advice)" }
  }

  private func has(_ name: String) -> Bool {
    let whole = "model.diffusion_model."
    let own = name.hasPrefix(whole) ? name.dropFirst(whole.count) : name[...]
    return beginnings.contains(where: own.hasPrefix) || ends.contains(where: own.hasSuffix)
      || parts.contains(where: name.hasPart)
  }
}
