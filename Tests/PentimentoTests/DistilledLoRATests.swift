import Editing
import Foundation
import Packing
import Pentimento
import TestSupport
import Testing
import Trace
import WeightStorage

/// LoRAs of all layers, as those that distil a model to few steps are.
@Suite("LoRA of all layers") struct DistilledLoRATests {
  private static let fixtures = SingleFile.fixtures.appending(path: "LoRA")

  /// What the network makes of the case with a LoRA.
  private func differences(_ config: String, _ lora: String) async throws -> [String] {
    let folder = Self.fixtures.appending(path: "\(config)/distilled")
    let trace = try TraceCase(folder: folder)
    let model = try Model(folder: trace.modelFolder).adapted(by: [LoRAReference(path: lora, factor: 0.8)])
    let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).safetensors").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try await trace.run(model, threads: 2).write(to: path)
    return try ParityCase(folder: folder).differences(in: SafetensorsFile(path: path))
  }

  /// diffusers and PEFT loaded the same values (`Tools/fixtures/make_lora.py`): every linear layer and convolution of
  /// attention, feed-forward, residual blocks and samplers; of SDXL also the first, the last and those of time and size.
  @Test(
    "agrees with diffusers and PEFT in both layouts",
    arguments: ["sd15", "sdxl"], ["distilled-peft", "distilled-kohya"])
  func parity(config: String, file: String) async throws {
    let path = Self.fixtures.appending(path: "\(config)/\(file).safetensors").path
    let differences = try await differences(config, path)
    #expect(differences.isEmpty, "\(differences.joined(separator: "; "))")
  }

  @Test("is read where a training script put its own prefix before kohya-ss' names")
  func prefixed() async throws {
    let source = try SafetensorsFile(
      path: Self.fixtures.appending(path: "sd15/distilled-kohya.safetensors").path)
    let file = try copy(source, metadata: [:]) { "unet.\($0)" }
    let differences = try await differences("sd15", file.path)
    #expect(differences.isEmpty, "\(differences.joined(separator: "; "))")
  }

  /// The tensors of a file under other names.
  private func copy(
    _ source: SafetensorsFile, metadata: [String: String], _ name: (String) -> String = { $0 }
  ) throws -> SingleFile {
    var tensors: [String: StoredTensor] = [:]
    for entry in source.tensors {
      tensors[name(entry.name)] = StoredTensor(
        element: entry.element, shape: entry.shape, bytes: try source.reader.bytes(entry.range))
    }
    return try SingleFile(tensors, metadata: metadata)
  }

  @Test("makes the model one of few steps where its metadata says LCM, and nothing else does")
  func recognised() throws {
    let source = try SafetensorsFile(
      path: Self.fixtures.appending(path: "sd15/distilled-kohya.safetensors").path)
    let model = try Model(folder: SingleFile.folderURL("sd15"))
    func adapted(_ metadata: [String: String]) throws -> Model {
      let file = try copy(source, metadata: metadata)
      return try withExtendedLifetime(file) { try model.adapted(by: [LoRAReference(path: file.path)]) }
    }
    let lcm = try adapted(["modelspec.title": "lcm-lora-sdv1-5"])
    #expect(lcm.kind.isConsistency && !lcm.kind.isToldGuidance)
    #expect(lcm.notes.count == model.notes.count + 1 && lcm.defaults(for: .generate())["steps"] == .number(4))
    #expect(try adapted(["ss_output_name": "LCM_LoRA"]).kind.isConsistency)
    for other in ["Lightning over the sea", "Turbo lamp", "calcium"] {
      let plain = try adapted(["modelspec.title": other])
      #expect(plain.kind == ModelKind() && plain.notes.count == model.notes.count)
    }
  }

  @Test("arouses a note before the work until somebody has said how it is sampled")
  func suspicion() async throws {
    let source = try SafetensorsFile(
      path: Self.fixtures.appending(path: "sd15/distilled-kohya.safetensors").path)
    let folder = SingleFile.folderURL("sd15")
    func warnings(_ model: Model, _ method: EditMethod) async throws -> [String] {
      var request = EditRequest(method)
      request.size = .box(.init(width: 64, height: 64))
      request.prompt = "a cat"
      return try await Editor(model: model, threads: 1).run(request).report.warnings
    }
    let lora = try copy(source, metadata: ["modelspec.title": "SDXL Lightning"])
    let model = try Model(folder: folder).adapted(by: [LoRAReference(path: lora.path)])
    #expect(try await warnings(model, .generate(steps: 1)).contains { $0.contains("--spacing trailing") })
    for spacing in [NoiseSchedule.Spacing.leading, .trailing] {
      let told = try Model(at: folder, told: ModelHints(spacing: spacing)).adapted(by: [
        LoRAReference(path: lora.path)
      ])
      #expect(try await warnings(told, .generate(steps: 1)).isEmpty)
    }
    // Rank 2 is no distillation's: nothing is suspected of layers alone.
    let plain = try copy(source, metadata: [:])
    #expect(try LoRAFile(path: plain.path).resemblance == nil)
  }

  @Test(
    "words of titles are words",
    arguments: [
      ("lcm-lora-sdv1-5", FewSteps.jumps), ("Latent Consistency LoRA", .jumps), ("SDXL Turbo 1.0", .trailing),
      ("sdxl_lightning_4step_unet.safetensors", .trailing), ("Hyper-SDXL-8steps-lora", .trailing),
      ("hypersd15", .trailing), ("turbofan", nil), ("enlightening", nil), ("hyperrealistic", nil),
      ("hyper realistic", nil), ("falcm", nil), ("", nil),
    ] as [(String, FewSteps?)])
  func words(text: String, expected: FewSteps?) {
    #expect(FewSteps(wordsOf: text) == expected)
  }

  @Test("of rank 64 that trains the time's layers looks like a distillation; of attention alone it does not")
  func layers() throws {
    func file(_ layers: [String]) throws -> LoRAFile {
      var tensors: [String: StoredTensor] = [:]
      for layer in layers {
        tensors["lora_unet_\(layer).lora_down.weight"] = StoredTensor(
          [Float](repeating: 0, count: 64), shape: [64, 1])
        tensors["lora_unet_\(layer).lora_up.weight"] = StoredTensor(
          [Float](repeating: 0, count: 64), shape: [1, 64])
      }
      let file = try SingleFile(tensors)
      return try withExtendedLifetime(file) { try LoRAFile(path: file.path) }
    }
    let attention = "down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
    let time = ["down_blocks_0_resnets_0_time_emb_proj", "down_blocks_0_resnets_0_conv1"]
    #expect(try file([attention] + time).resemblance == .layers)
    #expect(try file([attention]).resemblance == nil)
    #expect(try file(time).resemblance == nil)
  }
}
