import Foundation
import StableDiffusion
import Testing

/// The error with which `body` fails.
private func refusal<T>(_ body: () throws -> T) throws -> ModelError {
  do {
    let value = try body()
    Issue.record("accepted as \(value)")
  } catch let error as ModelError {
    return error
  }
  throw CancellationError()
}

@Suite("UNet configuration") struct UNetConfigurationTests {
  typealias Level = UNetConfiguration.Level

  @Test("fills what a file of 2022 does not say with the library's defaults") func oldFile() throws {
    let c = try UNetConfiguration(json: Data(Published.unet15.utf8))
    #expect(
      c.down == [
        Level(channels: 320, resnets: 2, heads: 8, depth: 1),
        Level(channels: 640, resnets: 2, heads: 8, depth: 1),
        Level(channels: 1280, resnets: 2, heads: 8, depth: 1),
        Level(channels: 1280, resnets: 2, heads: 8, depth: 0),
      ])
    #expect(c.middle == Level(channels: 1280, resnets: 2, heads: 8, depth: 1))
    #expect(c.up.map(\.channels) == [1280, 1280, 640, 320])
    #expect(c.up.map(\.depths) == [[0, 0, 0], [1, 1, 1], [1, 1, 1], [1, 1, 1]])
    #expect(c.up.allSatisfy { $0.resnets == 3 })
    #expect(c.epsilon == 1e-5 && c.timeWidth == 1280 && !c.usesLinearProjection && c.added == nil)
    #expect(c.timestepSinusoid == Sinusoid(width: 320, startsWithCosines: true, frequencyShift: 0))
  }

  @Test("gives every level its heads and depth") func perLevel() throws {
    let c = try UNetConfiguration(json: Data(Published.unetXL.utf8))
    #expect(c.down.map(\.heads) == [5, 10, 20] && c.up.map(\.heads) == [20, 10, 5])
    #expect(c.down.map(\.depths[0]) == [0, 2, 10] && c.up.map(\.depths[0]) == [10, 2, 0])
    #expect(c.middle == Level(channels: 1280, resnets: 2, heads: 20, depth: 10))
    #expect(c.added == UNetConfiguration.AddedCondition(pooledWidth: 1280, timeIDWidth: 256))
    #expect(c.timeIDSinusoid?.width == 256)
  }

  @Test("follows the fields that override others") func overrides() throws {
    func read(_ field: String, _ value: String) throws -> UNetConfiguration {
      try UNetConfiguration(json: Change(field, value).applied(to: Published.unetXL))
    }
    #expect(try read("num_attention_heads", "[1, 2, 4]").up.map(\.heads) == [4, 2, 1])
    #expect(try read("reverse_transformer_layers_per_block", "[7, 3, 1]").up.map(\.depths[0]) == [7, 3, 0])
    #expect(try read("layers_per_block", "[1, 2, 3]").up.map(\.resnets) == [4, 3, 2])
    #expect(try read("time_embedding_dim", "512").timeWidth == 512)
    #expect(try read("mid_block_type", "null").middle == nil)
    #expect(
      try read("mid_block_type", "\"UNetMidBlock2D\"").middle
        == Level(channels: 1280, resnets: 1, heads: 20, depth: 0))
  }

  @Test("reads depths layer by layer, as pruned networks have them") func nestedDepths() throws {
    let c = try UNetConfiguration(
      json: Data(
        Published.unetXL.replacing(
          "\"transformer_layers_per_block\": [1, 2, 10]",
          with: """
            "transformer_layers_per_block": [0, [2, 2], [4, 4]],
            "reverse_transformer_layers_per_block": [[4, 4, 10], [2, 1, 1], 1]
            """
        ).utf8))
    #expect(c.down.map(\.depths) == [[0, 0], [2, 2], [4, 4]])
    #expect(c.up.map(\.depths) == [[4, 4, 10], [2, 1, 1], [0, 0, 0]])
    #expect(c.middle?.depths == [4, 4])
  }

  @Test(
    "accepts what leaves the computation as it is",
    arguments: [
      Change("only_cross_attention", "[false, false, false, false]"), Change("dropout", "0.1"),
      Change("upcast_attention", "true"), Change("cross_attention_dim", "[768, 768, 768, 768]"),
      Change("mid_block_only_cross_attention", "false"), Change("_diffusers_version", "\"0.6.0\""),
      Change("attention_head_dim", "[8, 8, 8, 8]"), Change("sample_size", nil), Change("norm_eps", nil),
    ])
  func accepts(change: Change) throws {
    let c = try UNetConfiguration(json: change.applied(to: Published.unet15))
    #expect(try c == UNetConfiguration(json: Data(Published.unet15.utf8)))
  }

  @Test(
    "refuses by name what is not implemented",
    arguments: [
      Change("_class_name", "\"UNet2DModel\""), Change("act_fn", "\"gelu\""),
      Change("attention_type", "\"gated\""),
      Change("center_input_sample", "true"), Change("class_embed_type", "\"timestep\""),
      Change("num_class_embeds", "1000"), Change("class_embeddings_concat", "true"),
      Change("conv_in_kernel", "1"),
      Change("conv_out_kernel", "5"), Change("cross_attention_norm", "\"layer_norm\""),
      Change("downsample_padding", "0"), Change("dual_cross_attention", "true"),
      Change("encoder_hid_dim", "1024"),
      Change("encoder_hid_dim_type", "\"text_proj\""), Change("mid_block_only_cross_attention", "true"),
      Change("mid_block_scale_factor", "1.4"), Change("only_cross_attention", "[true, true, true, false]"),
      Change("out_channels", "8"), Change("resnet_out_scale_factor", "2"),
      Change("resnet_skip_time_act", "true"),
      Change("resnet_time_scale_shift", "\"scale_shift\""), Change("time_embedding_act_fn", "\"silu\""),
      Change("time_embedding_type", "\"fourier\""), Change("timestep_post_act", "\"silu\""),
      Change("addition_embed_type", "\"text_image\""),
    ])
  func refuses(change: Change) throws {
    let error = try refusal {
      try UNetConfiguration(json: change.applied(to: Published.unet15))
    }
    guard case .unsupported("unet/config.json", change.field, let found, _) = error else {
      Issue.record("\(error)")
      return
    }
    #expect(error.description.contains(change.field) && error.description.contains(found))
  }

  @Test("tells models for other purposes by what to use instead") func otherPurposes() throws {
    #expect(throws: ModelError.latentChannels(file: "unet/config.json", found: 9)) {
      try UNetConfiguration(json: Change("in_channels", "9").applied(to: Published.unet15))
    }
  }

  @Test("reads that a network is told the guidance, and writes it down again")
  func guidance() throws {
    let plain = try UNetConfiguration(json: Data(Published.unet15.utf8))
    #expect(plain.guidanceSinusoid == nil && plain.guidance(7.5) == nil)
    let told = try UNetConfiguration(json: Change("time_cond_proj_dim", "256").applied(to: Published.unet15))
    #expect(told.guidance(8.5)?.shape == [1, 256])
    #expect(told.guidance(nil)?.values.allSatisfy { $0 == 0 } == true)
    // w = 1 is φ = 0: sines of 0, then cosines of it.
    #expect(told.guidance(1)?.values == [Float](repeating: 0, count: 128) + [Float](repeating: 1, count: 128))
    #expect(try UNetConfiguration(json: JSONEncoder().encode(told)) == told)
    #expect(try UNetConfiguration(json: JSONEncoder().encode(plain)) == plain)
    // Two values have one frequency, whose exponent would be 0/0.
    let error = try refusal {
      try UNetConfiguration(json: Change("time_cond_proj_dim", "3").applied(to: Published.unet15))
    }
    guard case .inconsistent("unet/config.json", "time_cond_proj_dim", _) = error else {
      Issue.record("\(error)")
      return
    }
  }

  @Test(
    "refuses unknown block types",
    arguments: [
      Change("down_block_types", "[\"AttnDownBlock2D\", \"DownBlock2D\", \"DownBlock2D\", \"DownBlock2D\"]"),
      Change("up_block_types", "[\"AttnDownBlock2D\", \"UpBlock2D\", \"UpBlock2D\", \"UpBlock2D\"]"),
      Change("mid_block_type", "\"AttnDownBlock2D\""),
    ])
  func blockTypes(change: Change) throws {
    let error = try refusal {
      try UNetConfiguration(json: change.applied(to: Published.unet15))
    }
    guard case .blockType("unet/config.json", "AttnDownBlock2D", _) = error else {
      Issue.record("\(error)")
      return
    }
  }

  @Test(
    "refuses fields that contradict each other",
    arguments: [
      Change("norm_num_groups", "48"), Change("attention_head_dim", "7"),
      Change("attention_head_dim", "[8, 8]"),
      Change("down_block_types", "[\"DownBlock2D\"]"), Change("cross_attention_dim", "[768, 768, 768, 1024]"),
      Change("layers_per_block", "[2, 2]"), Change("freq_shift", "160"),
      Change("transformer_layers_per_block", "[1, [1, 2], 1, 1]"),
      Change("reverse_transformer_layers_per_block", "[1, [1, 2], 1, 1]"),
      Change("block_out_channels", "[32, 32, 32, 32, 32, 32, 32, 32, 32]"),
    ])
  func contradictions(change: Change) throws {
    let error = try refusal {
      try UNetConfiguration(json: change.applied(to: Published.unet15))
    }
    guard case .inconsistent = error else {
      Issue.record("\(error)")
      return
    }
  }

  @Test(
    "refuses fields of another kind",
    arguments: [
      Change("block_out_channels", "320"), Change("block_out_channels", "[]"),
      Change("block_out_channels", "[0]"),
      Change("norm_num_groups", "0"), Change("norm_num_groups", "-32"), Change("norm_num_groups", "1e30"),
      Change("layers_per_block", "1.5"), Change("layers_per_block", "true"), Change("norm_eps", "\"small\""),
      Change("flip_sin_to_cos", "1"), Change("down_block_types", "[1, 2, 3, 4]"),
      Change("mid_block_type", "3"),
    ])
  func malformed(change: Change) throws {
    let error = try refusal {
      try UNetConfiguration(json: change.applied(to: Published.unet15))
    }
    guard case .malformed("unet/config.json", change.field, _, _) = error else {
      Issue.record("\(error)")
      return
    }
  }

  @Test("refuses text that is no JSON object", arguments: ["", "{", "[]", "null", "{\"a\": 1}}"])
  func notJSON(text: String) {
    #expect(throws: ModelError.unreadable(file: "unet/config.json")) {
      try UNetConfiguration(json: Data(text.utf8))
    }
  }

  @Test("refuses text encoders of other widths") func otherEncoders() throws {
    func encoder(_ json: String) throws -> TextEncoderConfiguration {
      try TextEncoderConfiguration(json: Data(json.utf8))
    }
    let (l, h, g) = try (encoder(Published.clipL), encoder(Published.clipH), encoder(Published.clipG))
    let sd15 = try UNetConfiguration(json: Data(Published.unet15.utf8))
    let sdxl = try UNetConfiguration(json: Data(Published.unetXL.utf8))
    try sd15.check(encoders: [l])
    try sdxl.check(encoders: [l, g])
    #expect(throws: ModelError.contextWidth(network: 768, encoders: [1024])) { try sd15.check(encoders: [h]) }
    #expect(throws: ModelError.contextWidth(network: 2048, encoders: [768])) { try sdxl.check(encoders: [l]) }
    #expect(throws: ModelError.pooledWidth(network: 1280, encoder: nil)) { try sdxl.check(encoders: [g, l]) }
    var short = l
    short.tokens = 32
    #expect(throws: ModelError.sequenceLengths([32, 77])) { try sdxl.check(encoders: [short, g]) }
  }
}

@Suite("Text encoder configuration") struct TextEncoderConfigurationTests {
  @Test("reads the encoders of all families") func families() throws {
    let l = try TextEncoderConfiguration(json: Data(Published.clipL.utf8))
    #expect((l.tokens, l.width, l.layers, l.heads) == (77, 768, 12, 12))
    #expect(l.activation == .quickGELU && l.projection == nil)
    let g = try TextEncoderConfiguration(json: Data(Published.clipG.utf8))
    #expect(g.activation == .gelu && g.projection == 1280)
  }

  @Test("finds the end mark by its id, in old files by the largest id") func endPosition() throws {
    var c = try TextEncoderConfiguration(json: Data(Published.clipL.utf8))
    #expect(c.endPosition(in: [49406, 320, 2, 49407, 49407, 49407]) == 3)
    c.endToken = 700
    #expect(c.endPosition(in: [699, 320, 700, 701, 700]) == 2)
  }

  @Test("refuses tokens that it has no row for") func unknownToken() throws {
    let c = try TextEncoderConfiguration(json: Data(Published.clipL.utf8))
    try c.check(ids: [0, 49407])
    for id: Int32 in [-1, 49408] {
      #expect(throws: ModelError.unknownToken(id: Int(id), vocabulary: 49408)) {
        try c.check(ids: [49406, id])
      }
    }
  }

  @Test(
    "refuses fields that contradict each other",
    arguments: [
      Change("num_attention_heads", "7"), Change("max_position_embeddings", "2"),
    ])
  func contradictions(change: Change) throws {
    let error = try refusal { try TextEncoderConfiguration(json: change.applied(to: Published.clipL)) }
    guard case .inconsistent(_, change.field, _) = error else {
      Issue.record("\(error)")
      return
    }
  }

  @Test(
    "refuses by name what is not implemented",
    arguments: [
      Change("hidden_act", "\"relu\""), Change("architectures", "[\"T5EncoderModel\"]"),
      Change("model_type", "\"t5\""),
    ])
  func refuses(change: Change) throws {
    let error = try refusal {
      try TextEncoderConfiguration(
        json: change.applied(to: Published.clipL), file: "text_encoder_2/config.json")
    }
    guard case .unsupported("text_encoder_2/config.json", change.field, _, _) = error else {
      Issue.record("\(error)")
      return
    }
  }
}

@Suite("Autoencoder configuration") struct AutoencoderConfigurationTests {
  @Test("fills what a file of 2022 does not say with the library's defaults") func oldFile() throws {
    let c = try AutoencoderConfiguration(json: Data(Published.autoencoder.utf8))
    #expect(c.channels == [128, 256, 512, 512] && c.resnets == 2 && c.groups == 32)
    #expect(c.hasMiddleAttention && c.hasQuantConv && c.hasPostQuantConv)
    #expect(c.scalingFactor == 0.18215)
  }

  @Test(
    "refuses by name what is not implemented",
    arguments: [
      Change("_class_name", "\"AutoencoderTiny\""), Change("act_fn", "\"relu\""), Change("in_channels", "4"),
      Change("latent_channels", "16"), Change("shift_factor", "0.1"), Change("latents_mean", "[0, 0, 0, 0]"),
      Change("down_block_types", "[\"AttnDownEncoderBlock2D\"]"),
    ])
  func refuses(change: Change) throws {
    let error = try refusal {
      try AutoencoderConfiguration(json: change.applied(to: Published.autoencoder))
    }
    guard case .unsupported("vae/config.json", change.field, _, _) = error else {
      Issue.record("\(error)")
      return
    }
  }

  @Test(
    "refuses another reduction than eight, and a scale that cannot be undone",
    arguments: [
      Change("block_out_channels", "[128, 256, 512]"), Change("scaling_factor", "0"),
      Change("norm_num_groups", "48"),
    ])
  func contradictions(change: Change) throws {
    let error = try refusal { try AutoencoderConfiguration(json: change.applied(to: Published.autoencoder)) }
    guard case .inconsistent("vae/config.json", _, _) = error else {
      Issue.record("\(error)")
      return
    }
  }

  @Test("refuses a file without the widths of its levels") func missing() throws {
    #expect(throws: ModelError.missing(file: "vae/config.json", field: "block_out_channels")) {
      try AutoencoderConfiguration(
        json: Change("block_out_channels", nil).applied(to: Published.autoencoder))
    }
  }
}
