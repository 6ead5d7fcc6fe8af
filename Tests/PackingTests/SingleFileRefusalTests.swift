import Foundation
import Packing
import Pentimento
import StableDiffusion
import TestSupport
import Testing
import WeightStorage

@Suite("A single file that cannot be used") struct SingleFileRefusalTests {
  /// What is done to a file's table, and what the refusal says.
  struct Damage: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var family = "sd15"
    var says: String
    var change: @Sendable (inout [String: [Int]]) -> Void

    init(
      _ name: String, _ family: String = "sd15", says: String,
      _ change: @escaping @Sendable (inout [String: [Int]]) -> Void
    ) {
      (testDescription, self.family, self.says, self.change) = (name, family, says, change)
    }

    /// Without every tensor whose name begins so.
    static func without(_ prefix: String) -> @Sendable (inout [String: [Int]]) -> Void {
      { shapes in shapes = shapes.filter { !$0.key.hasPrefix(prefix) } }
    }

    static func moving(_ prefix: String, to other: String) -> @Sendable (inout [String: [Int]]) -> Void {
      { shapes in
        for (name, shape) in shapes where name.hasPrefix(prefix) {
          shapes[name] = nil
          shapes[other + name.dropFirst(prefix.count)] = shape
        }
      }
    }
  }

  private static let (unet, text) = ("model.diffusion_model.", "cond_stage_model.transformer.text_model.")

  static let damages: [Damage] = [
    Damage("with a key that nobody knows", says: "tensor some_model.x belongs to no part") {
      $0["some_model.x"] = [1]
    },
    Damage(
      "with a key that nobody knows in the UNet", says: "tensor \(unet)input_blocks.1.0.extra.weight belongs"
    ) {
      $0["\(unet)input_blocks.1.0.extra.weight"] = [1]
    },
    Damage("with a tensor that the UNet does not read", says: "\(unet)input_blocks.1.1.extra.weight belongs")
    {
      $0["\(unet)input_blocks.1.1.extra.weight"] = [1]
    },
    Damage("with a text layer beyond a gap", says: "\(text)encoder.layers.20.mlp.fc1.weight belongs") {
      $0["\(text)encoder.layers.20.mlp.fc1.weight"] = [3072, 768]
    },
    Damage("without a tensor", says: "has no tensor \(unet)input_blocks.1.0.in_layers.0.bias;") {
      $0["\(unet)input_blocks.1.0.in_layers.0.bias"] = nil
    },
    Damage(
      "with a tensor of another shape",
      says: "tensor \(unet)input_blocks.0.0.bias has shape [321] where [320]"
    ) {
      $0["\(unet)input_blocks.0.0.bias"] = [321]
    },
    Damage("for inpainting", says: "in_channels is 9") {
      $0["\(unet)input_blocks.0.0.weight"] = [320, 9, 3, 3]
    },
    Damage("that is a LoRA", says: "it is a LoRA") {
      $0 = ["lora_unet_down_blocks_0.lora_down.weight": [4, 320]]
    },
    Damage("that is one network of a folder", says: "or the folder that holds model_index.json") {
      $0 = ["down_blocks.0.resnets.0.conv1.weight": [320, 320, 3, 3]]
    },
    Damage("that is something else", says: "no tensor of a noise network") { $0 = ["x": [1]] },
    Damage("without a text encoder", says: "has no text encoder", Damage.without("cond_stage_model.")),
    Damage("without an autoencoder", says: "has no autoencoder", Damage.without("first_stage_model.")),
    Damage(
      "that is SDXL's refiner", "sdxl", says: "it is the refiner",
      Damage.moving("conditioner.embedders.1.", to: "conditioner.embedders.0.")),
    Damage("that is a transformer", says: "Stable Diffusion 3, Flux") { $0["\(unet)joint_blocks.0.x"] = [1] },
    Damage("with zero terminal noise", "sdxl", says: "rescale_betas_zero_snr") { $0["ztsnr"] = [] },
    Damage("with one weight under two names", says: "are the same weight") {
      $0["cond_stage_model.transformer.final_layer_norm.weight"] = [768]
    },
    Damage("with a fused weight that is none", "sd21", says: "which is no 3 weights in one") {
      $0["cond_stage_model.model.transformer.resblocks.3.attn.in_proj_bias"] = [3071]
    },
    Damage("with a projection that is no matrix", "sdxl", says: "which is no matrix") {
      $0["conditioner.embedders.1.model.text_projection"] = [1280]
    },
    Damage("with heads that are not 64 wide", "sd21", says: "300 channels cannot be heads of 64") {
      $0["\(unet)input_blocks.1.0.in_layers.2.weight"] = [300, 320, 3, 3]
    },
    Damage("with a transformer less on a level", "sdxl", says: "transformers behind some of its layers") {
      shapes in
      shapes = shapes.filter { !$0.key.hasPrefix("\(unet)input_blocks.4.1.") }
    },
    Damage(
      "without the tensor that tells a level's width", says: "no tensor \(unet)input_blocks.4.0.in_layers.2"
    ) {
      $0["\(unet)input_blocks.4.0.in_layers.2.weight"] = nil
    },
    Damage("without a part of a fused weight's name", "sd21", says: "resblocks.3.attn.in_proj_weight;") {
      $0["cond_stage_model.model.transformer.resblocks.3.attn.in_proj_weight"] = nil
    },
  ]

  @Test("is refused with the file and the cause", arguments: damages)
  func refuses(damage: Damage) throws {
    var shapes = Dictionary(
      uniqueKeysWithValues: try SingleFile.published(damage.family).map { ($0.name, $0.shape) })
    damage.change(&shapes)
    let file = try SingleFile(sparse: shapes.sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
    do {
      _ = try Model(at: URL(fileURLWithPath: file.path))
      Issue.record("was opened")
    } catch {
      #expect("\(error)".contains(damage.says), "\(error)")
      #expect("\(error)".contains(file.path) || "\(error)".contains("rescale"), "\(error)")
      #expect(Model.isModelError(error))
    }
  }

  /// What else is published under such names: a tensor of it, what it is, and the next step.
  static let others: [(tensor: String, kind: String, step: String)] = [
    ("control_model.input_hint_block.0.weight", "a ControlNet", "name the model that it guides"),
    ("controlnet_cond_embedding.conv_in.weight", "a ControlNet", "name the model that it guides"),
    ("lora_controlnet", "a ControlNet", "name the model that it guides"),
    ("adapter.body.0.resnets.0.block1.weight", "a T2I adapter", "name the model that it guides"),
    ("ip_adapter.1.to_k_ip.weight", "an IP-Adapter", "name the model that it is for"),
    ("lora_te_text_model_encoder_layers_0_mlp_fc1.alpha", "a LoRA", "this file as its LoRA"),
    ("unet.mid_block.attentions.0.proj_in.lora_A.weight", "a LoRA", "this file as its LoRA"),
    ("lora_unet_mid_block_attentions_0_proj_in.hada_w1_a", "a LoRA", "this file as its LoRA"),
    ("down_blocks.0.motion_modules.0.norm.weight", "a model of videos", "use a model of pictures"),
    ("model.diffusion_model.input_blocks.1.0.time_stack.x", "a model of videos", "use a model of pictures"),
    ("conditioner.embedders.0.model.logit_scale", "the refiner", "use the base model"),
    ("noise_augmentor.data_mean", "an unCLIP model", "use the plain text-to-image model"),
    ("model.diffusion_model.joint_blocks.0.x_block.attn.proj.weight", "a transformer", "XL family"),
    ("double_blocks.0.img_attn.qkv.weight", "a transformer", "XL family"),
    ("transformer_blocks.0.attn.to_k.weight", "a transformer", "XL family"),
    ("model.diffusion_model.blocks.0.cross_attn.k.weight", "a transformer", "XL family"),
    ("clip_txt_mapper.weight", "Stable Cascade", "XL family"),
    ("encoder_hid_proj.weight", "DeepFloyd", "XL family"),
    ("encoder.block.0.layer.0.SelfAttention.k.weight", "T5", "XL family"),
    ("vision_model.embeddings.class_embedding", "CLIP's of pictures", "XL family"),
    ("conv_first.weight", "an upscaler", "XL family"),
    ("model.layers.0.self_attn.q_proj.weight", "a language model", "XL family"),
    ("encoder.down.0.block.0.conv1.weight", "an autoencoder alone", "this file as its autoencoder"),
    ("decoder.layers.0.weight", "an autoencoder alone", "this file as its autoencoder"),
    ("text_model.encoder.layers.0.mlp.fc1.weight", "a text encoder alone", "this file as its text encoder"),
    ("transformer.resblocks.0.mlp.c_fc.weight", "a text encoder alone", "this file as its text encoder"),
  ]

  @Test("is a textual inversion", arguments: [["emb_params"], ["clip_l", "clip_g"], ["<cat>"]])
  func embedding(names: [String]) throws {
    let file = try SingleFile(sparse: names.map { ($0, [8, 768]) })
    let sentence = try refusal { try Model(at: URL(fileURLWithPath: file.path)) }
    #expect(sentence.contains("a textual inversion; such words are not read"), "\(sentence)")
  }

  @Test("is of another kind, which is said with the next step", arguments: others.indices)
  func otherKinds(index: Int) throws {
    let (tensor, kind, step) = Self.others[index]
    let file = try SingleFile(sparse: [(tensor, [4, 4, 3, 3])])
    let sentence = try refusal { try Model(at: URL(fileURLWithPath: file.path)) }
    #expect(sentence.contains(kind) && sentence.contains(step), "\(sentence)")
  }

  @Test("is a latent consistency model's folder whose configuration is another model's")
  func guidanceEmbedding() throws {
    let half = try HalfModel("sd15")
    let folder = try half.folder()
    let path = folder.appending(path: "unet/diffusion_pytorch_model.safetensors").path
    let file = try SafetensorsFile(path: path)
    var tensors = try file.tensors.reduce(into: [String: StoredTensor]()) { tensors, entry in
      tensors[entry.name] = StoredTensor(try file.floats(entry.name), shape: entry.shape)
    }
    tensors["time_embedding.cond_proj.weight"] = StoredTensor(
      [Float](repeating: 0, count: 16 * 256), shape: [16, 256])
    try SafetensorsWriter.write(tensors, to: path)
    #expect(try refusal { try Model(at: folder) }.contains("time_cond_proj_dim is not there"))
  }

  @Test("is a pickle", arguments: [[0x50, 0x4B, 3, 4], [0x80, 2, 0x8A, 10]] as [[UInt8]])
  func pickle(start: [UInt8]) throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).ckpt").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data(start + [UInt8](repeating: 0, count: 100)).write(to: URL(fileURLWithPath: path))
    #expect(throws: WeightFileError.pickle(file: path)) { try Model(at: URL(fileURLWithPath: path)) }
  }
}
