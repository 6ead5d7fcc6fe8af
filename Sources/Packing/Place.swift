import WeightStorage

/// Where a file has a network: what its names begin with, and whose names they are.
struct Place: Equatable, Sendable {
  enum Naming: Sendable {
    /// Of the first publication: `input_blocks.0.0.weight`.
    case original
    /// The networks' own.
    case diffusers
    /// CLIP's text encoder in transformers.
    case clip
    /// A text encoder of OpenCLIP, which has fused and transposed weights.
    case openCLIP
  }
  var naming: Naming
  /// With its dot; empty in a file of this network alone.
  var prefix: String

  /// Where a component is looked for, in this order: prefix, what must begin so behind it, naming.
  ///
  /// Prefixes are those of the first publications; `cond_stage_model.1`, `te`, `unet` and `vae` are written by
  /// stable-diffusion.cpp, none by ComfyUI-GGUF and by whoever saves one network.
  private static let candidates: [String: [(prefix: String, begins: [String], naming: Naming)]] = [
    "unet": ["model.diffusion_model.", "unet.", ""].flatMap { prefix -> [(String, [String], Naming)] in
      [(prefix, ["input_blocks."], .original), (prefix, ["down_blocks."], .diffusers)]
    },
    "vae": ["first_stage_model.", "vae.", ""].flatMap { prefix -> [(String, [String], Naming)] in
      [
        (prefix, ["encoder.down.", "decoder.up."], .original),
        (prefix, ["encoder.down_blocks.", "decoder.up_blocks."], .diffusers),
      ]
    },
    "text_encoder": [
      ("cond_stage_model.transformer.", clip, .clip), ("cond_stage_model.model.", openCLIP, .openCLIP),
      ("conditioner.embedders.0.transformer.", clip, .clip), ("te.", clip, .clip),
      ("", clip, .clip), ("", openCLIP, .openCLIP),
    ],
    "text_encoder_2": [
      ("conditioner.embedders.1.model.", openCLIP, .openCLIP),
      ("cond_stage_model.1.transformer.", clip, .clip), ("cond_stage_model.1.model.", openCLIP, .openCLIP),
      ("te.1.", clip, .clip), ("", clip, .clip), ("", openCLIP, .openCLIP),
    ],
  ]
  private static let clip = ["text_model.", "encoder.layers."]
  private static let openCLIP = ["transformer.resblocks."]

  /// - Returns: nil if the file does not have the component.
  static func of(_ component: String, in names: some Sequence<String>) -> Place? {
    let found = candidates[component]?.first { candidate in
      let starts = candidate.begins.map { candidate.prefix + $0 }
      return names.contains { name in starts.contains { name.hasPrefix($0) } }
    }
    return found.map { Place(naming: $0.naming, prefix: $0.prefix) }
  }
}
