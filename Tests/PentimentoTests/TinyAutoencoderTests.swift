import Editing
import Foundation
import Kernels
import Pentimento
import Runtime
import Tensors
import TestSupport
import Testing

@Suite("Model with a tiny autoencoder") struct TinyAutoencoderTests {
  private static let fixtures = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().appending(path: "../Fixtures").standardizedFileURL

  /// The fixture `sd15` with the tiny autoencoder as its `vae`.
  private func withModel<R>(_ body: (Model) async throws -> R) async throws -> R {
    let files = FileManager.default
    let folder = files.temporaryDirectory.appending(path: UUID().uuidString)
    try files.createDirectory(at: folder.appending(path: "vae"), withIntermediateDirectories: true)
    defer { try? files.removeItem(at: folder) }
    let source = Self.fixtures.appending(path: "sd15/model")
    for name in ["model_index.json", "unet", "text_encoder", "tokenizer", "scheduler"] {
      try files.createSymbolicLink(
        at: folder.appending(path: name), withDestinationURL: source.appending(path: name))
    }
    let tiny = Self.fixtures.appending(path: "Networks/taesd")
    for (name, own) in [
      ("config.json", "config.json"), ("diffusion_pytorch_model.safetensors", "weights.safetensors"),
    ] {
      try files.createSymbolicLink(
        at: folder.appending(path: "vae/\(name)"), withDestinationURL: tiny.appending(path: own))
    }
    return try await body(Model(folder: folder))
  }

  @Test("opens, says so, and edits") func edit() async throws {
    try await withModel { model in
      #expect(Inspection.describe(model, tensors: false).contains("autoencoder  channels 8×8×8×8"))
      var request = EditRequest(.sdedit(steps: 4, strength: 0.5))
      request.size = .box(Extent(width: 64, height: 64))
      let pixels = (0..<64 * 64 * 3).map { UInt8($0 * 7 % 251) }
      request.picture = Picture(width: 64, height: 64, pixels: pixels)
      request.prompt = "a cat"
      let editor = try Editor(model: model, threads: 2)
      let plan = try editor.prepare(request).plan
      let result = try await editor.run(request)
      #expect(result.picture.extent.width == 64 && result.report.plannedPeakBytes == plan.peak)
      #expect(try Set(result.pixels.pixels).count > 8)
    }
  }

  @Test("keeps a budget with the same bits: a block has its input and its result in memory, no more")
  func budget() async throws {
    try await withModel { model in
      let side = 512
      let inputs = [
        ["latent": HostTensor.random([side / 8, side / 8, 4], seed: 3)],
        ["image": HostTensor.random([side, side, 3], seed: 4)],
      ]
      for (network, input) in inputs.enumerated() {
        func stage(within budget: Int?) throws -> Stage {
          let stages = Stages(model: model, threads: 2, budget: budget)
          return network == 0
            ? try stages.decoder(width: side, height: side) : try stages.encoder(width: side, height: side)
        }
        func run(_ stage: Stage) throws -> [Float] {
          let executor = try Executor(stage.graph, stage.plan, weights: stage.weights, pool: .of(2))
          return try executor.run([input]).first!.first!.value.values
        }
        let whole = try stage(within: nil)
        // All but an eighth of a picture of eight channels is saved, the lines on their way deducted.
        let budget = whole.plan.peakBytes - side * side * 8 * 4 * 7 / 8
        let small = try stage(within: budget)
        #expect(small.plan.peakBytes <= budget)
        #expect(try run(small) == run(whole))
      }
    }
  }

  @Test("has latents without variance") func moments() async throws {
    try await withModel { model in
      let codec = try Editor(model: model, threads: 1).codec
      let signal = HostTensor(shape: [16, 24, 3], values: Array(repeating: 0.25, count: 16 * 24 * 3))
      let (mean, logVariance) = try await codec.encode(signal)
      #expect((mean.height, mean.width) == (2, 3))
      #expect(logVariance.values.allSatisfy { $0 == -30 })
      #expect(try await codec.decode(mean).shape == [16, 24, 3])
    }
  }
}
