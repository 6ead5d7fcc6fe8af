import WeightStorage

/// The kinds of models that are read, told apart by their noise networks.
enum Family: Sendable {
  case sd1, sd2, sdxl

  /// SDXL's network is told pooled text and sizes; that of SD 2.x has linear projections around its transformers and
  /// reads 1024 wide text states (one of the two may be hidden: stable-diffusion.cpp writes the projections as
  /// convolutions).
  ///
  /// - Parameter prefix: what the names of the noise network begin with.
  init(denoiser tensors: some Sequence<TensorEntry>, prefix: String = "") {
    self = .sd1
    for tensor in tensors where tensor.name.hasPrefix(prefix) {
      let name = tensor.name.dropFirst(prefix.count)
      if name.hasPrefix("label_emb.") || name.hasPrefix("add_embedding.") {
        self = .sdxl
        return
      }
      let isLinear = name.hasSuffix(".proj_in.weight") && tensor.shape.count == 2
      if isLinear || name.hasSuffix(".attn2.to_k.weight") && tensor.shape.last == 1024 { self = .sd2 }
    }
  }

  var textEncoders: [String] { self == .sdxl ? ["text_encoder", "text_encoder_2"] : ["text_encoder"] }
  var components: [String] { ["unet", "vae"] + textEncoders }

  /// Multiplied with latents (Rombach et al. 2022; Podell et al. 2024).
  var scalingFactor: Double { self == .sdxl ? 0.13025 : 0.18215 }

  /// The token that fills the rest of a prompt, for each encoder.
  func padToken(ofEncoder index: Int) -> String {
    switch (self, index) {
    case (.sd1, _), (.sdxl, 0): "<|endoftext|>"
    case (.sd2, _), (.sdxl, _): "!"
    }
  }

  /// Whether a text encoder is OpenCLIP's, whatever its names.
  func isOpenCLIP(_ component: String) -> Bool { self == .sd2 || component == "text_encoder_2" }
}
