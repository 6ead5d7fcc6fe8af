/// How a model or a LoRA that was distilled to few steps is sampled, as far as words say it.
package enum FewSteps: Sendable, Equatable {
  /// By the jumps of a latent consistency model.
  case jumps
  /// By an ordinary sampler on trailing timesteps: SD- and SDXL-Turbo, Lightning, Hyper-SD.
  case trailing

  /// What a title or a file's name speaks of: `lcm-lora-sdv1-5`, `SDXL Turbo`, `sdxl_lightning_4step`, `Hyper-SD15-8steps`.
  package init?(wordsOf text: String) {
    let words = text.lowercased().split { !$0.isLetter && !$0.isNumber }
    func has(_ word: Substring) -> Bool { words.contains(word) }
    let pairs = zip(words, words.dropFirst())
    if has("lcm") || pairs.contains(where: { $0 == "latent" && $1 == "consistency" }) {
      self = .jumps
    } else if has("turbo") || has("lightning") || words.contains(where: { $0.hasPrefix("hypersd") })
      || pairs.contains(where: { $0 == "hyper" && $1.hasPrefix("sd") })
    {
      self = .trailing
    } else {
      return nil
    }
  }

  /// What a file's metadata calls it: by the standard that model sites follow, and by kohya-ss.
  package init?(metadata: [String: String]) {
    for key in ["modelspec.title", "ss_output_name"] {
      guard let title = metadata[key], let found = Self(wordsOf: title) else { continue }
      self = found
      return
    }
    return nil
  }

  /// Examples, for sentences.
  package var examples: String {
    self == .jumps
      ? "latent consistency models" : "models distilled to few steps (Turbo, Lightning, Hyper-SD)"
  }

  /// The option that says so.
  package var option: String { self == .jumps ? "--sampler lcm" : "--spacing trailing" }
}

extension LoRAFile {
  /// What speaks for a distillation to few steps.
  package enum Resemblance: Sendable, Equatable {
    /// What the file is called inside.
    case title(FewSteps)
    /// The file's name.
    case name(FewSteps)
    /// It trains all layers, the time's among them, as LCM-LoRAs do and those of pictures do not.
    case layers
  }

  package var resemblance: Resemblance? {
    if let said = FewSteps(metadata: weights.files[0].texts) { return .title(said) }
    let name = String(weights.label.split(separator: "/").last ?? "")
    if let said = FewSteps(wordsOf: name) { return .name(said) }
    let spellings = layerSpellings
    let hasTime = spellings.contains { $0.hasSuffix("time_emb_proj") || $0.hasSuffix("emb_layers_1") }
    let hasConvolutions = spellings.contains { $0.hasSuffix("conv1") || $0.hasSuffix("in_layers_2") }
    let hasAttention = spellings.contains { $0.hasSuffix("attn1_to_q") }
    return hasTime && hasConvolutions && hasAttention && ranks == [64] ? .layers : nil
  }
}
