import Foundation
import Testing

/// Configuration files as the published models have them.
enum Published {
  /// A file and the number of parameters of the network that it describes.
  struct Network: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var json: String
    var parameters: Int
  }

  static let unets = [
    Network(testDescription: "Stable Diffusion 1.5", json: unet15, parameters: 859_520_964),
    Network(testDescription: "Stable Diffusion 2.1", json: unet21, parameters: 865_910_724),
    Network(testDescription: "Stable Diffusion XL", json: unetXL, parameters: 2_567_463_684),
  ]
  static let textEncoders = [
    Network(testDescription: "CLIP ViT-L/14", json: clipL, parameters: 123_060_480),
    Network(testDescription: "OpenCLIP ViT-H/14", json: clipH, parameters: 340_387_840),
    Network(testDescription: "OpenCLIP ViT-bigG/14", json: clipG, parameters: 694_659_840),
  ]

  /// Stable Diffusion 1.5, with the fields that were known in 2022.
  static let unet15 = """
    {"_class_name": "UNet2DConditionModel", "act_fn": "silu", "attention_head_dim": 8,
     "block_out_channels": [320, 640, 1280, 1280], "center_input_sample": false, "cross_attention_dim": 768,
     "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
     "downsample_padding": 1, "flip_sin_to_cos": true, "freq_shift": 0, "in_channels": 4,
     "layers_per_block": 2, "mid_block_scale_factor": 1, "norm_eps": 1e-05, "norm_num_groups": 32,
     "out_channels": 4, "sample_size": 64,
     "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]}
    """

  /// Stable Diffusion 2.1.
  static let unet21 = """
    {"act_fn": "silu", "attention_head_dim": [5, 10, 20, 20], "block_out_channels": [320, 640, 1280, 1280],
     "center_input_sample": false, "cross_attention_dim": 1024,
     "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
     "downsample_padding": 1, "dual_cross_attention": false, "flip_sin_to_cos": true, "freq_shift": 0,
     "in_channels": 4, "layers_per_block": 2, "mid_block_scale_factor": 1, "norm_eps": 1e-05,
     "norm_num_groups": 32, "num_class_embeds": null, "only_cross_attention": false, "out_channels": 4,
     "sample_size": 96, "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D",
     "CrossAttnUpBlock2D"], "upcast_attention": true, "use_linear_projection": true}
    """

  /// Stable Diffusion XL 1.0.
  static let unetXL = """
    {"act_fn": "silu", "addition_embed_type": "text_time", "addition_embed_type_num_heads": 64,
     "addition_time_embed_dim": 256, "attention_head_dim": [5, 10, 20], "block_out_channels": [320, 640, 1280],
     "center_input_sample": false, "class_embed_type": null, "class_embeddings_concat": false,
     "conv_in_kernel": 3, "conv_out_kernel": 3, "cross_attention_dim": 2048, "cross_attention_norm": null,
     "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
     "downsample_padding": 1, "dual_cross_attention": false, "encoder_hid_dim": null,
     "encoder_hid_dim_type": null, "flip_sin_to_cos": true, "freq_shift": 0, "in_channels": 4,
     "layers_per_block": 2, "mid_block_only_cross_attention": null, "mid_block_scale_factor": 1,
     "mid_block_type": "UNetMidBlock2DCrossAttn", "norm_eps": 1e-05, "norm_num_groups": 32,
     "num_attention_heads": null, "num_class_embeds": null, "only_cross_attention": false, "out_channels": 4,
     "projection_class_embeddings_input_dim": 2816, "resnet_out_scale_factor": 1.0,
     "resnet_skip_time_act": false, "resnet_time_scale_shift": "default", "sample_size": 128,
     "time_cond_proj_dim": null, "time_embedding_act_fn": null, "time_embedding_dim": null,
     "time_embedding_type": "positional", "timestep_post_act": null,
     "transformer_layers_per_block": [1, 2, 10],
     "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"], "upcast_attention": null,
     "use_linear_projection": true}
    """

  /// The autoencoder of Stable Diffusion 1.5.
  static let autoencoder = """
    {"_class_name": "AutoencoderKL", "act_fn": "silu", "block_out_channels": [128, 256, 512, 512],
     "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D",
     "DownEncoderBlock2D"], "in_channels": 3, "latent_channels": 4, "layers_per_block": 2,
     "out_channels": 3, "sample_size": 512, "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D",
     "UpDecoderBlock2D", "UpDecoderBlock2D"]}
    """

  /// CLIP ViT-L/14, the text encoder of Stable Diffusion 1.5.
  static let clipL = """
    {"architectures": ["CLIPTextModel"], "bos_token_id": 0, "eos_token_id": 2, "hidden_act": "quick_gelu",
     "hidden_size": 768, "intermediate_size": 3072, "layer_norm_eps": 1e-05, "max_position_embeddings": 77,
     "model_type": "clip_text_model", "num_attention_heads": 12, "num_hidden_layers": 12, "pad_token_id": 1,
     "projection_dim": 768, "vocab_size": 49408}
    """

  /// OpenCLIP ViT-H/14 without its last layer, the text encoder of Stable Diffusion 2.1.
  static let clipH = """
    {"architectures": ["CLIPTextModel"], "bos_token_id": 0, "eos_token_id": 2, "hidden_act": "gelu",
     "hidden_size": 1024, "intermediate_size": 4096, "layer_norm_eps": 1e-05, "max_position_embeddings": 77,
     "model_type": "clip_text_model", "num_attention_heads": 16, "num_hidden_layers": 23, "pad_token_id": 1,
     "projection_dim": 512, "vocab_size": 49408}
    """

  /// OpenCLIP ViT-bigG/14, the second text encoder of Stable Diffusion XL.
  static let clipG = """
    {"architectures": ["CLIPTextModelWithProjection"], "bos_token_id": 0, "eos_token_id": 2,
     "hidden_act": "gelu", "hidden_size": 1280, "intermediate_size": 5120, "layer_norm_eps": 1e-05,
     "max_position_embeddings": 77, "model_type": "clip_text_model", "num_attention_heads": 20,
     "num_hidden_layers": 32, "pad_token_id": 1, "projection_dim": 1280, "vocab_size": 49408}
    """
}

/// A configuration with one field changed, added or (nil) left out.
struct Change: CustomTestStringConvertible, Sendable {
  var field: String
  /// JSON.
  var value: String?

  init(_ field: String, _ value: String?) {
    self.field = field
    self.value = value
  }

  var testDescription: String { "\(field): \(value ?? "missing")" }

  func applied(to json: String) throws -> Data {
    var fields = try JSONSerialization.jsonObject(with: Data(json.utf8)) as! [String: Any]
    fields[field] = try value.map {
      try JSONSerialization.jsonObject(with: Data($0.utf8), options: .fragmentsAllowed)
    }
    return try JSONSerialization.data(withJSONObject: fields)
  }
}
