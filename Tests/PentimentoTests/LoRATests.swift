import Editing
import Foundation
import Packing
import Pentimento
import Pictures
import StableDiffusion
import TestSupport
import Testing
import Trace
import WeightStorage

private let fixtures = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().appending(path: "../Fixtures").standardizedFileURL

@Suite("Model with LoRA files") struct LoRATests {
  /// Several files at once, in four layouts, with scales and alphas; diffusers loaded the same files
  /// (`Tools/fixtures/make_lora.py`).
  @Test("agrees with diffusers and PEFT", arguments: ["sd15/unet", "sd15/text", "sdxl/unet", "sdxl/text"])
  func parity(place: String) async throws {
    let folder = fixtures.appending(path: "LoRA/\(place)")
    let trace = try TraceCase(folder: folder)
    let json = try JSONSerialization.jsonObject(with: Data(contentsOf: folder.appending(path: "case.json")))
    let params = try #require((json as? [String: Any])?["params"] as? [String: Any])
    let files = try #require(params["lora"] as? [String])
    let references = try files.map {
      try LoRAReference(parsing: folder.deletingLastPathComponent().appending(path: $0).path)
    }
    #expect(references.count > 1)
    let model = try Model(folder: trace.modelFolder).adapted(by: references)
    let path = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).safetensors").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    try await trace.run(model, threads: 2).write(to: path)
    let differences = try ParityCase(folder: folder).differences(in: SafetensorsFile(path: path))
    #expect(differences.isEmpty, "\(differences.joined(separator: "; "))")
  }

  private static let file = fixtures.appending(path: "LoRA/sd15/diffusers.safetensors").path

  private func edit(_ model: Model) async throws -> EditResult {
    var request = EditRequest(.generate())
    request.size = .box(Extent(width: 64, height: 64))
    request.prompt = "a cat"
    request.method = .generate(steps: 3)
    return try await Editor(model: model, threads: 2).run(request)
  }

  @Test("does nothing at scale 0, and something at 1") func scale() async throws {
    let model = try Model(folder: fixtures.appending(path: "sd15/model"))
    let plain = try await edit(model)
    let none = try await edit(model.adapted(by: [LoRAReference(path: Self.file, factor: 0)]))
    let full = try await edit(model.adapted(by: [LoRAReference(path: Self.file)]))
    #expect(try none.pixels == plain.pixels)
    #expect(try full.pixels != plain.pixels)
    #expect(full.report.lora == ["diffusers.safetensors"] && plain.report.lora.isEmpty)
  }

  @Test("is planned with the matrices of its side branches") func plan() throws {
    let model = try Model(folder: fixtures.appending(path: "sd15/model"))
    var request = EditRequest(.generate())
    request.size = .box(Extent(width: 64, height: 64))
    request.prompt = "a cat"
    func weights(_ model: Model) throws -> Int {
      try Editor(model: model, threads: 1).prepare(request).plan.stages.first { $0.name == "denoise" }!
        .residentWeights
    }
    let file = try SafetensorsFile(path: Self.file)
    let added = try weights(model.adapted(by: [LoRAReference(path: Self.file)])) - weights(model)
    let stored = file.tensors.filter { $0.name.hasPrefix("unet.") }.map(\.range.count).reduce(0, +)
    #expect(added >= stored)  // panels are padded to 16 columns
  }

  /// Between the factors that give pictures and those that are refused at once there are some at which the network's
  /// sums run over.
  @Test("is blamed for what it makes of a sound model, and not for a damaged one") func blame() async throws {
    let folder = fixtures.appending(path: "sd15/model")
    let model = try Model(folder: folder)
    await #expect(throws: LoRAError.self) {
      try await edit(model.adapted(by: [LoRAReference(path: Self.file, factor: 1e30)]))
    }
    let high = try model.adapted(by: [LoRAReference(path: Self.file, factor: 1e13)])
    await #expect(throws: LoRAError.overflow(files: ["diffusers.safetensors:1e+13"])) { try await edit(high) }

    let copy = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: copy) }
    try FileManager.default.copyItem(at: folder, to: copy)
    let file = copy.appending(path: "unet/diffusion_pytorch_model.safetensors")
    var bytes = try Data(contentsOf: file)
    let place = try SafetensorsFile(path: file.path).tensor("conv_in.weight").range.lowerBound
    bytes.replaceSubrange(place..<place + 4, with: [0, 0, 0xC0, 0x7F])
    try bytes.write(to: file)
    let damaged = try Model(folder: copy).adapted(by: [LoRAReference(path: Self.file)])
    await #expect(throws: ModelError.self) { try await edit(damaged) }
  }

  @Test("is another model for a saved inversion, by its factors too") func identity() throws {
    let model = try Model(folder: fixtures.appending(path: "sd15/model"))
    let (a, b) = (LoRAReference(path: Self.file), LoRAReference(path: Self.file, factor: 0.5))
    let identities = try [model, model.adapted(by: [a]), model.adapted(by: [b]), model.adapted(by: [a, b])]
      .map {
        try $0.identity()
      }
    #expect(Set(identities).count == 4)
  }

  @Test("reads a file and its factor") func parsing() throws {
    #expect(try LoRAReference(parsing: "a.safetensors") == LoRAReference(path: "a.safetensors"))
    #expect(try LoRAReference(parsing: "a:b:-0.5") == LoRAReference(path: "a:b", factor: -0.5))
    #expect(try LoRAReference(parsing: "a:b") == LoRAReference(path: "a:b"))
    for text in ["a:inf", "a:nan", ":0.5"] {
      #expect(throws: RequestError.self) { try LoRAReference(parsing: text) }
    }
  }
}
