import Foundation
import Packing
import TestSupport
import Testing
import WeightStorage

@Suite("LoRA file") struct LoRAFileTests {
  private static let networks = [
    AdaptedNetwork(
      component: "unet",
      layers: [
        "down_blocks.0.resnets.0.conv1": [8, 4, 3, 3], "down_blocks.0.attentions.0.proj_in": [8, 8, 1, 1],
        "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q": [8, 8],
        "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_out.0": [8, 8],
      ]),
    AdaptedNetwork(
      component: "text_encoder", layers: ["text_model.encoder.layers.0.self_attn.q_proj": [6, 6]]),
    AdaptedNetwork(component: "text_encoder_2", layers: ["encoder.layers.0.self_attn.q_proj": [6, 6]]),
  ]

  private static func zeros(_ shape: [Int]) -> StoredTensor {
    StoredTensor([Float](repeating: 0, count: shape.reduce(1, *)), shape: shape)
  }

  /// The branches of a file with these tensors of zeros.
  private func branches(_ shapes: KeyValuePairs<String, [Int]>, alpha: Float? = nil) throws -> [LoRABranch] {
    var tensors: [String: StoredTensor] = [:]
    for (name, shape) in shapes {
      tensors[name] = name.hasSuffix("alpha") ? StoredTensor([alpha ?? 0], shape: shape) : Self.zeros(shape)
    }
    let file = try SingleFile(tensors)
    return try LoRAFile(path: file.path).branches(on: Self.networks)
  }

  @Test("that calls itself a container is none: its tensors would be used where they lie")
  func container() throws {
    let tensors = ["unet.a.lora_A.weight": Self.zeros([2, 8]), "unet.a.lora_B.weight": Self.zeros([8, 2])]
    let file = try SingleFile(tensors, metadata: ["pentimento.format": "1"])
    #expect(throws: LoRAError.notALoRA(file: file.path)) { try LoRAFile(path: file.path) }
  }

  @Test(
    "finds a layer however diffusers, PEFT or kohya-ss spell it",
    arguments: [
      ("unet.", "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q", ".lora_A", ".lora_B"),
      (
        "base_model.model.", "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q", ".lora_A",
        ".lora_B"
      ),
      (
        "base_model.model.unet.", "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q",
        ".lora_A.default", ".lora_B.default"
      ),
      ("", "down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_q", "_lora.down", "_lora.up"),
      ("unet.", "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q", ".lora.down", ".lora.up"),
      ("lora_unet_", "down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q", ".lora_down", ".lora_up"),
      ("lora_unet_", "input_blocks_1_1_transformer_blocks_0_attn1_to_q", ".lora_down", ".lora_up"),
      (
        "model.diffusion_model.", "input_blocks.1.1.transformer_blocks.0.attn1.to_q", ".lora_A", ".lora_B"
      ),
      ("diffusion_model.", "input_blocks.1.1.transformer_blocks.0.attn1.to_q", ".lora_A", ".lora_B"),
    ])
  func spellings(prefix: String, module: String, down: String, up: String) throws {
    let found = try branches([
      "\(prefix)\(module)\(down).weight": [2, 8], "\(prefix)\(module)\(up).weight": [8, 2],
    ])
    #expect(found.map(\.component) == ["unet"])
    #expect(found.map(\.layer) == ["down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"])
    #expect(found.map(\.alpha) == [2])  // the rank where the file does not say
  }

  @Test(
    "finds a layer of a text encoder, whatever its own file calls the tower",
    arguments: [
      ("lora_te_text_model_encoder_layers_0_self_attn_q_proj.lora_down", 0),
      ("lora_te1_text_model_encoder_layers_0_self_attn_q_proj.lora_down", 0),
      ("lora_te2_text_model_encoder_layers_0_self_attn_q_proj.lora_down", 1),
      ("text_encoder.text_model.encoder.layers.0.self_attn.q_proj.lora_A", 0),
      ("text_encoder_2.text_model.encoder.layers.0.self_attn.q_proj.lora_linear_layer.down", 1),
      ("text_encoder.text_model.encoder.layers.0.self_attn.to_q_lora.down", 0),
      ("base_model.model.text_model.encoder.layers.0.self_attn.q_proj.lora_A", 0),
    ])
  func textEncoders(down: String, index: Int) throws {
    let up = down.replacingOccurrences(of: "lora_A", with: "lora_B").replacingOccurrences(
      of: "down", with: "up")
    let found = try branches(["\(down).weight": [1, 6], "\(up).weight": [6, 1]])
    let component = index == 0 ? "text_encoder" : "text_encoder_2"
    #expect(found.map(\.component) == [component])
  }

  @Test("takes alpha from the file, and a 1×1 convolution as the matrix that it is") func alpha() throws {
    let module = "lora_unet_down_blocks_0_attentions_0_proj_in"
    let found = try branches(
      [
        "\(module).lora_down.weight": [2, 8, 1, 1], "\(module).lora_up.weight": [8, 2, 1, 1],
        "\(module).alpha": [],
      ],
      alpha: 0.5)
    #expect(found.map(\.alpha) == [0.5] && found[0].down.shape == [2, 8] && found[0].up.shape == [8, 2])
    let file = try SingleFile([
      "\(module).lora_down.weight": Self.zeros([2, 8]), "\(module).lora_up.weight": Self.zeros([8, 2]),
      "\(module).alpha": StoredTensor([Int64(3)], shape: []),
    ])
    #expect(try LoRAFile(path: file.path).branches(on: Self.networks).map(\.alpha) == [3])
  }

  @Test("takes alpha from what PEFT writes beside the file") func adapterConfiguration() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let module = "base_model.model.down_blocks.0.attentions.0.proj_in"
    let path = folder.appending(path: "adapter_model.safetensors").path
    try SafetensorsWriter.write(
      ["\(module).lora_A.weight": Self.zeros([2, 8]), "\(module).lora_B.weight": Self.zeros([8, 2])], to: path
    )
    let configuration = folder.appending(path: "adapter_config.json")
    try Data(#"{"lora_alpha": 16, "r": 2, "use_rslora": false}"#.utf8).write(to: configuration)
    #expect(try LoRAFile(path: path).branches(on: Self.networks).map(\.alpha) == [16])
    try Data(#"{"lora_alpha": 16, "alpha_pattern": {"proj_in": 4}}"#.utf8).write(to: configuration)
    #expect(try LoRAFile(path: path).branches(on: Self.networks).map(\.alpha) == [4])
    try Data(#"{"lora_alpha": 16, "use_rslora": true}"#.utf8).write(to: configuration)
    #expect(throws: LoRAError.self) { try LoRAFile(path: path) }
  }

  /// Alpha of the one layer of a file that PEFT wrote with these exceptions.
  private func alpha(patterns: String) throws -> Float {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let module = "base_model.model.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
    let path = folder.appending(path: "adapter_model.safetensors").path
    try SafetensorsWriter.write(
      ["\(module).lora_A.weight": Self.zeros([2, 8]), "\(module).lora_B.weight": Self.zeros([8, 2])], to: path
    )
    try Data(#"{"lora_alpha": 16, "rank_pattern": {"to_q": 4}, "alpha_pattern": \#(patterns)}"#.utf8)
      .write(to: folder.appending(path: "adapter_config.json"))
    return try LoRAFile(path: path).branches(on: Self.networks)[0].alpha
  }

  @Test("takes alpha from the first pattern that fits, in the order written") func firstPattern() throws {
    let fitting = [
      "to_q", "attn1.to_q", "0.attn1.to_q", "transformer_blocks.0.attn1.to_q", #"attn\\d\\.to_[qkv]"#,
      #"down_blocks\\..*"#, ".*", #"(to_q|to_k)"#, "attentions.0.transformer_blocks.0.attn1.to_q", "t._q",
    ]
    for first in fitting.indices {
      let order = fitting[first...] + fitting[..<first]
      let members = order.map { "\"\($0)\": \(fitting.firstIndex(of: $0)! + 1)" }
      let text = #"{"to_k": 99, "up_blocks.*": 98, \#(members.joined(separator: ", "))}"#
      #expect(try alpha(patterns: text) == Float(first + 1))
    }
    #expect(try alpha(patterns: #"{"to_k": 99, "o_q": 98}"#) == 16)
    let error = failure(LoRAError.self) { try alpha(patterns: #"{"(?=x)to_q": 3}"#) }
    guard case .badPattern(_, "(?=x)to_q", _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test("finds a layer behind LyCORIS' prefix, in whichever network it is", arguments: [0, 1])
  func lycoris(index: Int) throws {
    let (layer, width, component) =
      [
        ("down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q", 8, "unet"),
        ("text_model_encoder_layers_0_self_attn_q_proj", 6, "text_encoder"),
      ][index]
    let found = try branches([
      "lycoris_\(layer).lora_down.weight": [2, width], "lycoris_\(layer).lora_up.weight": [width, 2],
    ])
    #expect(found.map(\.component) == [component])
  }

  @Test("reads numbers of 64 bits: matrices and alpha") func doubles() throws {
    let module = "lora_unet_down_blocks_0_attentions_0_proj_in"
    func doubles(_ value: Double, _ shape: [Int]) -> StoredTensor {
      let bytes = withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) }
      return StoredTensor(
        element: .f64, shape: shape, bytes: Array(repeating: bytes, count: shape.reduce(1, *)).flatMap(\.self)
      )
    }
    let file = try SingleFile([
      "\(module).lora_down.weight": doubles(-0.25, [2, 8]), "\(module).lora_up.weight": doubles(3, [8, 2]),
      "\(module).alpha": doubles(0.5, [1]),
    ])
    let lora = try LoRAFile(path: file.path)
    let branch = try #require(try lora.branches(on: Self.networks).first)
    #expect(branch.alpha == 0.5)
    #expect(try lora.weights.floats(branch.down.name) == [Float](repeating: -0.25, count: 16))
    try lora.check(branch, factor: 1)
  }

  @Test("finds every layer of a published SDXL under the names of its first publication")
  func publishedNames() throws {
    let prefix = "model.diffusion_model."
    let weights = try SingleFile.published("sdxl").filter {
      $0.name.hasPrefix(prefix) && $0.name.hasSuffix(".weight") && $0.shape.count > 1
    }
    let published = try SingleFile(sparse: SingleFile.published("sdxl"))
    let own = try SingleFileModel(path: published.path).weights(of: "unet")
    let layers = Dictionary(
      uniqueKeysWithValues: own.tensors.filter { $0.name.hasSuffix(".weight") && $0.shape.count > 1 }
        .map { (String($0.name.dropLast(7)), $0.shape) })
    #expect(weights.count == layers.count && weights.count > 700)
    let names = weights.flatMap { weight -> [(name: String, shape: [Int])] in
      let module =
        "lora_unet_"
        + weight.name.dropFirst(prefix.count).dropLast(7).replacingOccurrences(of: ".", with: "_")
      return [
        ("\(module).lora_down.weight", [1] + weight.shape.dropFirst()),
        ("\(module).lora_up.weight", [weight.shape[0], 1]),
      ]
    }
    let file = try SingleFile(sparse: names)
    let found = try LoRAFile(path: file.path).branches(on: [AdaptedNetwork(component: "unet", layers: layers)]
    )
    #expect(Set(found.map(\.layer)) == Set(layers.keys))
  }

  // MARK: Refusals

  private static let q = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"

  @Test(
    "refuses other kinds of adapters by name",
    arguments: [
      "lora_unet_x.hada_w1_a", "lora_unet_x.lokr_w1", "lora_unet_x.dora_scale", "lora_unet_x.lora_mid.weight",
      "unet.x.lora_magnitude_vector", "emb_params", "lora_unet_x.diff", "lora_unet_x.oft_blocks", "clip_l",
      "clip_g",
    ])
  func kinds(name: String) throws {
    let error = try #require(
      failure(LoRAError.self) {
        try branches(["\(Self.q).lora_A.weight": [2, 8], "\(Self.q).lora_B.weight": [8, 2], name: [1]])
      })
    guard case .unsupportedKind(_, name, let kind) = error else {
      Issue.record("\(error)")
      return
    }
    #expect(error.description.contains(kind))
  }

  @Test("names a tensor that it cannot use") func unknown() throws {
    func refusal(_ shapes: KeyValuePairs<String, [Int]>) throws -> LoRAError {
      try #require(failure(LoRAError.self) { try branches(shapes) })
    }
    let (a, b) = ("\(Self.q).lora_A.weight", "\(Self.q).lora_B.weight")
    guard
      case .unknownTensor(_, "something.else") = try refusal([a: [2, 8], b: [8, 2], "something.else": [1]]),
      case .unknownLayer(_, "unet.x.lora_A.weight") = try refusal([
        "unet.x.lora_A.weight": [1], "unet.x.lora_B.weight": [1],
      ]),
      case .unknownLayer = try refusal(["lora_te3_x.lora_down.weight": [1], "lora_te3_x.lora_up.weight": [1]]),
      case .incomplete(_, a, "lora_B (lora_up)") = try refusal([a: [2, 8]]),
      case .incomplete(_, b, "lora_A (lora_down)") = try refusal([b: [8, 2]]),
      case .doubled = try refusal([
        a: [2, 8], b: [8, 2], "\(Self.q).lora.down.weight": [2, 8], "\(Self.q).lora.up.weight": [8, 2],
      ]),
      case .notALoRA = try refusal(["conv_in.weight": [1]])
    else {
      Issue.record("another error")
      return
    }
  }

  @Test("calls an embedding by its name") func embedding() throws {
    let file = try SingleFile(["clip_g": Self.zeros([2, 1280]), "clip_l": Self.zeros([2, 768])])
    let error = try #require(failure(LoRAError.self) { try LoRAFile(path: file.path) })
    #expect(error.description.contains("a text embedding") && !error.description.contains("--model"))
  }

  @Test("names a matrix of whole numbers as the file does") func wholeNumbers() throws {
    let (a, b) = ("\(Self.q).lora_A.weight", "\(Self.q).lora_B.weight")
    let file = try SingleFile([
      a: StoredTensor([Int64](repeating: 1, count: 16), shape: [2, 8]), b: Self.zeros([8, 2]),
    ])
    let error = failure(WeightFileError.self) {
      try LoRAFile(path: file.path).branches(on: Self.networks)
    }
    guard case .unsupportedElement(file.path, a, "I64", _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test(
    "with a number that is none is blamed by its tensor, with too large a factor by the layer",
    arguments: [(.nan, 1), (.infinity, 1), (-.infinity, 0), (1e20, 1), (1, 1e30), (1, .infinity)]
      as [(Float, Float)])
  func notFinite(value: Float, factor: Float) throws {
    let (a, b) = ("\(Self.q).lora_A.weight", "\(Self.q).lora_B.weight")
    var values = [Float](repeating: 0.1, count: 16)
    let sound = try SingleFile([
      a: StoredTensor(values, shape: [2, 8]), b: StoredTensor(values, shape: [8, 2]),
    ])
    values[13] = value
    let file = try SingleFile([
      a: StoredTensor(values, shape: [2, 8]), b: StoredTensor(values, shape: [8, 2]),
    ])
    let lora = try LoRAFile(path: file.path)
    let branch = try lora.branches(on: Self.networks)[0]
    let error = try #require(failure(LoRAError.self) { try lora.check(branch, factor: factor) })
    if value.isFinite {
      #expect(
        error == .factorTooLarge(file: file.path, layer: branch.layer, factor: "\(factor)"), "\(error)")
    } else {
      #expect(error == .notFinite(file: file.path, tensor: a))
    }
    let good = try LoRAFile(path: sound.path)
    try good.check(good.branches(on: Self.networks)[0], factor: -8)
  }

  @Test("says both shapes of a matrix that does not fit") func shapes() throws {
    let (a, b) = ("\(Self.q).lora_A.weight", "\(Self.q).lora_B.weight")
    func check(_ down: [Int], _ up: [Int], _ tensor: String, _ expected: [Int], _ found: [Int]) {
      let error = failure(WeightFileError.self) { try branches([a: down, b: up]) }
      guard case .shapeMismatch(_, tensor, expected, found) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
    }
    check([2, 9], [8, 2], a, [2, 8], [2, 9])
    check([2, 8], [8, 3], b, [8, 2], [8, 3])
    check([2, 8, 3, 3], [8, 2], a, [2, 8], [2, 8, 3, 3])
    check([0, 8], [8, 0], a, [0, 8], [0, 8])
  }
}
