import WeightStorage

/// The models that single files hold, told apart by their text encoders.
enum Family: Sendable {
  case sd1, sd2, sdxl

  /// - Throws: `notAWholeModel`, with what the file seems to be.
  init(names: Set<String>, file: String) throws(WeightFileError) {
    func has(_ prefix: String) -> Bool { names.contains { $0.hasPrefix(prefix) } }
    func refusal(_ reason: String) -> WeightFileError { .notAWholeModel(file: file, reason: reason) }

    guard has("model.diffusion_model.") else {
      if has("lora_") || names.contains(where: { $0.contains(".lora") || $0.hasSuffix(".alpha") }) {
        throw refusal("it is a LoRA; name the model that it was made for, and this file with --lora")
      }
      if has("down_blocks.") || has("text_model.") || has("encoder.") || has("decoder.") {
        throw refusal("it is one network of a diffusers model; name the folder that holds model_index.json")
      }
      throw refusal(
        "it has no tensor of a noise network (model.diffusion_model.…); check what was downloaded")
    }
    if has("model.diffusion_model.joint_blocks.") || has("model.diffusion_model.double_blocks.") {
      throw refusal(
        "its noise network is a transformer (Stable Diffusion 3, Flux); use a model of another kind")
    }
    if has("conditioner.embedders.0.model.") {
      throw refusal("it is the refiner of Stable Diffusion XL; use the base model")
    }
    if has("conditioner.embedders.1.model."), has("conditioner.embedders.0.transformer.") {
      self = .sdxl
    } else if has("cond_stage_model.model.") {
      self = .sd2
    } else if has("cond_stage_model.transformer.") {
      self = .sd1
    } else {
      throw refusal("it has no text encoder; use a file that holds the whole model")
    }
    guard has("first_stage_model.") else {
      throw refusal("it has no autoencoder (first_stage_model.…); use a file that holds the whole model")
    }
  }

  var textEncoders: [String] { self == .sdxl ? ["text_encoder", "text_encoder_2"] : ["text_encoder"] }

  /// Multiplied with latents (Rombach et al. 2022; Podell et al. 2024).
  var scalingFactor: Double { self == .sdxl ? 0.13025 : 0.18215 }

  /// The token that fills the rest of a prompt, for each encoder.
  func padToken(ofEncoder index: Int) -> String {
    switch (self, index) {
    case (.sd1, _), (.sdxl, 0): "<|endoftext|>"
    case (.sd2, _), (.sdxl, _): "!"
    }
  }

  /// The names of the family's tensors.
  func keyTable(_ names: Set<String>) -> KeyTable {
    var table = KeyTable(names: names)
    table.addDenoiser()
    table.addAutoencoder()
    switch self {
    case .sd1: table.addCLIP("text_encoder", "cond_stage_model.transformer")
    case .sd2: table.addOpenCLIP("text_encoder", "cond_stage_model.model")
    case .sdxl:
      table.addCLIP("text_encoder", "conditioner.embedders.0.transformer")
      table.addOpenCLIP("text_encoder_2", "conditioner.embedders.1.model")
    }
    return table
  }
}
