/// What becomes of a foreign tensor.
enum KeyTarget: Equatable {
  /// The same tensor under another name.
  case renamed(String)
  /// Its equal row ranges are these tensors.
  case rows([String])
  /// The matrix with rows and columns exchanged.
  case transposed(String)
  /// A 1×1 convolution that is read as a linear layer.
  case linear(String)
  /// It means nothing to the networks.
  case ignored
}

/// The one table that translates foreign names: the first parts of a name, or all of it, to what they become.
///
/// The longest entry that a name begins with applies. What follows it stays: with `time_embed.0` →
/// `time_embedding.linear_1`, `time_embed.0.weight` is `time_embedding.linear_1.weight`.
struct KeyTable {
  /// Component ("unet") and target of each entry.
  private(set) var entries: [String: (component: String, target: KeyTarget)] = [:]
  /// The names of the file.
  let names: Set<String>

  init(names: Set<String>) {
    self.names = names
    for (key, _) in Self.ignored { entries[key] = ("", .ignored) }
  }

  func has(_ name: String) -> Bool { names.contains(name) }
  func isIgnored(_ prefix: String) -> Bool { entries[prefix]?.target == .ignored }

  mutating func add(_ component: String, _ foreign: String, _ target: KeyTarget) {
    entries[foreign] = (component, target)
  }

  /// Entries below a place in both name trees.
  mutating func add(_ component: String, _ foreign: String, _ own: String, _ parts: [(String, String)]) {
    for (from, to) in parts { add(component, "\(foreign).\(from)", .renamed("\(own).\(to)")) }
  }

  /// The component of a tensor and what it becomes, with full names; nil where no entry applies.
  func target(of name: String) -> (component: String, target: KeyTarget)? {
    var prefix = name[...]
    while true {
      if let (component, target) = entries[String(prefix)] {
        let rest = name[prefix.endIndex...]
        return (component, target.appending(rest))
      }
      guard let dot = prefix.lastIndex(of: ".") else { return nil }
      prefix = prefix[..<dot]
    }
  }
}

extension KeyTarget {
  fileprivate func appending(_ rest: Substring) -> KeyTarget {
    switch self {
    case .renamed(let name): .renamed(name + rest)
    case .rows(let names): .rows(names.map { $0 + rest })
    case .transposed(let name): .transposed(name + rest)
    case .linear(let name): .linear(name + rest)
    case .ignored: .ignored
    }
  }
}

extension KeyTable {
  /// Keys that real files hold and no network reads, each with what it is. Everything below a key is meant too.
  static let ignored: [(key: String, what: String)] =
    [
      ("model_ema", "a second set of weights, averaged over the training, beside those that are used"),
      ("first_stage_model.model_ema", "the same of the autoencoder"),
      ("first_stage_model.loss", "the networks that the autoencoder was trained against"),
      ("logvar", "a weight of the training's loss"),
      ("lvlb_weights", "weights of the training's loss"),
      ("denoiser.sigmas", "the schedule as a table"),
      ("v_pred", "a mark, read with the configuration"),
      ("ztsnr", "a mark, read with the configuration"),
      ("cond_stage_model.logit_scale", "the temperature of CLIP's training"),
      ("cond_stage_model.transformer.logit_scale", "the same"),
      ("cond_stage_model.transformer.text_projection", "CLIP's projection, of which SD 1.x reads nothing"),
      ("cond_stage_model.transformer.text_model.embeddings.position_ids", "the numbers 0 to 76"),
      ("cond_stage_model.transformer.embeddings.position_ids", "the numbers 0 to 76"),
      ("cond_stage_model.model.logit_scale", "the temperature of CLIP's training"),
      ("cond_stage_model.model.attn_mask", "the triangle of causal attention"),
      ("cond_stage_model.model.text_projection", "CLIP's projection, of which SD 2.x reads nothing"),
      ("cond_stage_model.model.transformer.resblocks.23", "SD 2.x reads what goes into the 24th layer"),
      ("conditioner.embedders.0.logit_scale", "the temperature of CLIP's training"),
      ("conditioner.embedders.0.transformer.logit_scale", "the same"),
      ("conditioner.embedders.0.transformer.text_projection", "SDXL reads the second encoder's projection"),
      ("conditioner.embedders.0.transformer.text_model.embeddings.position_ids", "the numbers 0 to 76"),
      ("conditioner.embedders.1.logit_scale", "the temperature of CLIP's training"),
      ("conditioner.embedders.1.model.logit_scale", "the same"),
      ("conditioner.embedders.1.model.attn_mask", "the triangle of causal attention"),
    ] + scheduleBuffers.map { ($0, "a value of the schedule, which follows from three numbers") }

  private static let scheduleBuffers = [
    "betas", "alphas_cumprod", "alphas_cumprod_prev", "sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod",
    "log_one_minus_alphas_cumprod", "sqrt_recip_alphas_cumprod", "sqrt_recipm1_alphas_cumprod",
    "posterior_variance", "posterior_log_variance_clipped", "posterior_mean_coef1", "posterior_mean_coef2",
  ]
}
