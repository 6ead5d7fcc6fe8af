import Editing
import Foundation
import Kernels
import NeuralGraph
import Packing
import Pentimento
import Runtime
import Tensors
import TestSupport
import Testing
import WeightStorage

private let fixtures = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().appending(path: "../Fixtures").standardizedFileURL

/// A network that no model has: latent → latent by one convolution.
private struct Translation: Network {
  let name = "translate"
  let sizeMultiple: Int? = 8

  func define(_ g: Scope, _ size: NetworkSize, keeping kept: KeptValues) throws -> [String: Value] {
    let x = g.input("x", TensorType([size.height / 8, size.width / 8, 4]))
    return ["y": try g["mix"].conv(x, to: 4, kernel: 1)]
  }
}

@Suite("Component of a model") struct ComponentTests {
  private struct Configuration: Encodable { let kernel = 1 }

  private let model: Model
  private let file: TemporaryCheckpoint
  private let weights: [String: HostTensor] = [
    "mix.weight": .random([4, 4, 1, 1], seed: 1), "mix.bias": .random([4], seed: 2),
  ]
  private static let facts = Component.Facts(
    configuration: Configuration(), summary: ["translate    1 layer"])

  init() throws {
    model = try Model(folder: fixtures.appending(path: "sd15/model"))
    file = try TemporaryCheckpoint(weights)
  }

  private func extended() throws -> Model {
    model.adding(try Component("translator", [Translation()], Self.facts, in: file.checkpoint))
  }

  @Test("is validated: what its network reads has to be there, in its shape") func validation() throws {
    let none = try TemporaryCheckpoint(["mix.bias": weights["mix.bias"]!])
    #expect(throws: WeightFileError.missingTensor(file: none.checkpoint.label, tensor: "mix.weight")) {
      _ = try Component("translator", [Translation()], Self.facts, in: none.checkpoint)
    }
    let odd = try TemporaryCheckpoint(weights.merging(["mix.bias": .random([5], seed: 3)]) { $1 })
    #expect(throws: WeightFileError.self) {
      _ = try Component("translator", [Translation()], Self.facts, in: odd.checkpoint)
    }
  }

  @Test("is planned and runs") func stage() throws {
    let model = try extended()
    let stages = Stages(model: model, threads: 1, budget: nil)
    let stage = try stages.stage("translate", of: "translator", NetworkSize(width: 24, height: 16))
    #expect(stage.plan.arenaBytes > 0 && stage.plan.residentBytes > 0)
    let executor = try Executor(
      stage.graph, stage.plan, weights: stage.weights, pool: ThreadPool(threads: 1))
    let x = HostTensor.random([2, 3, 4], seed: 4)
    let y = try #require(try executor.run([["x": x]])[0]["y"])
    let (w, b) = (weights["mix.weight"]!.values, weights["mix.bias"]!.values)
    for p in 0..<6 {
      for o in 0..<4 {
        let exact = (0..<4).reduce(b[o]) { $0 + w[o * 4 + $1] * x.values[p * 4 + $1] }
        #expect(abs(y.values[p * 4 + o] - exact) < 1e-5)
      }
    }
    #expect(throws: RequestError.self) {
      _ = try Stages(model: model, threads: 1, budget: 100)
        .stage("translate", of: "translator", NetworkSize(width: 24, height: 16))
    }
  }

  @Test("is packed behind the others, with its configuration") func packing() throws {
    let model = try extended()
    let (own, list) = (try self.model.packingList().map(\.name), try model.packingList().map(\.name))
    #expect(list == own + ["translator.mix.weight", "translator.mix.bias"])
    let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).safetensors")
    defer { try? FileManager.default.removeItem(at: path) }
    _ = try model.quantize(to: path, QuantizationRequest(precision: .fp32, scales: .maxAbs), threads: 1)
    let container = try SafetensorsFile(path: path.path)
    #expect(container["translator.mix.weight"] != nil && container["translator.mix.bias"] != nil)
    #expect(container.metadata["translator/config.json"] == #"{"kernel":1}"#)
  }

  @Test("is part of the identity, of the list of files and of what inspect says") func description() throws {
    let model = try extended()
    #expect(try model.identity() != self.model.identity())
    let other = try TemporaryCheckpoint(weights.merging(["mix.bias": .random([4], seed: 5)]) { $1 })
    let changed = self.model.adding(
      try Component("translator", [Translation()], Self.facts, in: other.checkpoint))
    #expect(try model.identity() != changed.identity())
    #expect(model.weightPaths.contains(file.checkpoint.files[0].reader.path))
    let text = Inspection.describe(model, tensors: true)
    #expect(text.contains("\ntranslate    1 layer\n") && text.contains("mix.weight F32 4×4×1×1"))
    #expect(text.contains("\(file.checkpoint.label): 2 tensors, 20 numbers, 80 bytes"))
  }

  @Test("leaves the identity of a model as saved inversions know it") func identity() throws {
    #expect(
      try model.identity() == "e00417459a2b741c33c3af628573fdac06bae8e5720a396d6ea8de2eb42cc52f")
  }
}

@Suite("Graphs of a model") struct GraphTests {
  private let model: Model
  init() throws { model = try Model(folder: fixtures.appending(path: "sd15/model")) }

  private func request(side: Int) -> EditRequest {
    var request = EditRequest(.sdedit(steps: 2, strength: 0.5))
    request.size = .box(Extent(width: side, height: side))
    request.picture = Picture(
      width: side, height: side, pixels: (0..<side * side * 3).map { UInt8($0 % 251) })
    request.prompt = "a cat"
    return request
  }

  @Test("are built once for all plans and runs of an edit, and again for another size alone")
  func builds() async throws {
    #expect(model.builtGraphs == 0, "opening leaves none")
    let editor = try Editor(model: model, threads: 1)
    let plan = try editor.prepare(request(side: 64)).plan
    #expect(
      plan.stages.map(\.name) == ["read picture", "text", "encode", "denoise", "decode", "write picture"])
    _ = try await editor.run(request(side: 64))
    #expect(model.builtGraphs == 4)
    _ = try await editor.run(request(side: 64))
    _ = try Editor(model: model, threads: 2).prepare(request(side: 64))
    #expect(model.builtGraphs == 4, "the second edit builds none")
    _ = try editor.prepare(request(side: 128)).plan
    #expect(model.builtGraphs == 7, "text has no size")
  }

  @Test("are built once, whoever asks at the same time") func concurrency() async throws {
    let model = model
    await withTaskGroup(of: Void.self) { group in
      for _ in 0..<8 {
        group.addTask { _ = try? Stages(model: model, threads: 1, budget: nil).noise(width: 64, height: 64) }
      }
    }
    #expect(model.builtGraphs == 1)
  }

  @Test("are forgotten, the oldest first, where many sizes are asked for") func bound() throws {
    let stages = Stages(model: model, threads: 1, budget: nil)
    for side in 1...9 { _ = try stages.noise(width: 64 * side, height: 64) }
    #expect(model.builtGraphs == 9)
    _ = try stages.noise(width: 64 * 9, height: 64)
    #expect(model.builtGraphs == 9)
    _ = try stages.noise(width: 64, height: 64)
    #expect(model.builtGraphs == 10)
  }

  @Test("of an adapted model are its own; components that were not adapted share theirs")
  func adapted() throws {
    let lora = LoRAReference(path: fixtures.appending(path: "LoRA/sd15/diffusers.safetensors").path)
    let adapted = try model.adapted(by: [lora])
    _ = try Stages(model: model, threads: 1, budget: nil).decoder(width: 64, height: 64)
    _ = try Stages(model: adapted, threads: 1, budget: nil).decoder(width: 64, height: 64)
    #expect(model.builtGraphs == 1)
    let plain = try Stages(model: model, threads: 1, budget: nil).noise(width: 64, height: 64)
    let branched = try Stages(model: adapted, threads: 1, budget: nil).noise(width: 64, height: 64)
    #expect(branched.graph.nodes.count > plain.graph.nodes.count)
  }
}
