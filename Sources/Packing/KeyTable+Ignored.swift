/// Keys that real files hold and no network reads, each with what it is. Everything below a key is meant too.
extension KeyTable {
  /// Beside the networks.
  static let ignored: [(key: String, what: String)] =
    [
      ("model_ema", "a second set of weights, averaged over the training, beside those that are used"),
      ("logvar", "a weight of the training's loss"),
      ("lvlb_weights", "weights of the training's loss"),
      ("denoiser.sigmas", "the schedule as a table"),
      ("v_pred", "a mark, read with the configuration"),
      ("ztsnr", "a mark, read with the configuration"),
      ("cond_stage_model.logit_scale", "the temperature of CLIP's training"),
      ("conditioner.embedders.0.logit_scale", "the same"),
      ("conditioner.embedders.1.logit_scale", "the same"),
    ] + scheduleBuffers.map { ($0, "a value of the schedule, which follows from three numbers") }

  private static let scheduleBuffers = [
    "betas", "alphas_cumprod", "alphas_cumprod_prev", "sqrt_alphas_cumprod", "sqrt_one_minus_alphas_cumprod",
    "log_one_minus_alphas_cumprod", "sqrt_recip_alphas_cumprod", "sqrt_recipm1_alphas_cumprod",
    "posterior_variance", "posterior_log_variance_clipped", "posterior_mean_coef1", "posterior_mean_coef2",
  ]

  /// Inside a network, behind its prefix.
  static func ignored(in component: String, _ family: Family) -> [(key: String, what: String)] {
    switch component {
    case "unet": return []
    case "vae":
      return [
        ("model_ema", "a second set of weights, averaged over the training"),
        ("loss", "the networks that the autoencoder was trained against"),
      ]
    default:
      var keys = [
        ("logit_scale", "the temperature of CLIP's training"),
        ("attn_mask", "the triangle of causal attention"),
        ("text_model.embeddings.position_ids", "the numbers 0 to 76"),
        ("embeddings.position_ids", "the numbers 0 to 76"),
        ("vision_model", "the half of CLIP that looks at pictures"), ("visual", "the same of OpenCLIP"),
        ("visual_projection", "the projection of that half"),
      ]
      if component == "text_encoder" {
        keys += ["text_projection", "text_model.text_projection"].map {
          ($0, "CLIP's projection, of which the first encoder's is read nowhere")
        }
      }
      if family == .sd2 {
        keys += ["transformer.resblocks.23", "text_model.encoder.layers.23", "encoder.layers.23"].map {
          ($0, "SD 2.x reads what goes into the 24th layer")
        }
      }
      return keys
    }
  }
}
