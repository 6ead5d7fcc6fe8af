import Editing
import Foundation
import Kernels
import Packing
import Pentimento
import TestSupport
import Testing
import WeightStorage

/// Models written as containers and opened again.
@Suite("Container") struct ContainerRoundTripTests {
  private static let fixtures = ["sd15", "sd21", "sdxl", "pruned", "lcm"]

  private let folder = FileManager.default.temporaryDirectory.appending(
    path: "containers-\(UUID().uuidString)")

  init() throws { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }

  /// A container of a model, under a name of its own.
  private func container(
    _ model: Model, _ precision: WeightPrecision, threads: Int = 2,
    _ change: (inout QuantizationRequest) -> Void = { _ in }
  ) throws -> URL {
    let url = folder.appending(path: "\(UUID().uuidString).safetensors")
    var request = QuantizationRequest(precision: precision)
    change(&request)
    _ = try model.quantize(to: url, request, threads: threads)
    return url
  }

  @Test("of 32 bits gives the picture of the folder, bit by bit", arguments: fixtures)
  func exact(fixture: String) async throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let original = try Model(folder: SingleFile.folderURL(fixture))
    let packed = try Model(at: container(original, .fp32))
    #expect(packed.notes.isEmpty && packed.schedule == original.schedule)
    #expect(packed.nativeSize == original.nativeSize && packed.sizeMultiple == original.sizeMultiple)
    #expect(try await edit(packed) == edit(original))
  }

  @Test(
    "made of a container's own model is the same file: nothing of the configuration is lost",
    arguments: fixtures)
  func configurations(fixture: String) throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let url = try container(Model(folder: SingleFile.folderURL(fixture)), .fp32)
    let file = try SafetensorsFile(path: url.path)
    // A folder made of the container's texts and the original weights.
    let copy = folder.appending(path: "copy")
    try FileManager.default.copyItem(at: SingleFile.folderURL(fixture), to: copy)
    for (name, text) in file.metadata where name.contains("/") || name == "model_index.json" {
      if name == "model_index.json" { continue }  // lists the components, which a container has in its tensors
      try Data(text.utf8).write(to: copy.appending(path: name))
    }
    let again = try SafetensorsFile(path: container(Model(folder: copy), .fp32).path)
    #expect(again.metadata == file.metadata)
  }

  @Test("has the same bytes whatever the threads", arguments: [ScaleChoice.maxAbs, .search])
  func deterministic(scales: ScaleChoice) throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let model = try Model(folder: SingleFile.folderURL("sd15"))
    let files = try [1, 2, 3].map { threads in
      try Data(contentsOf: container(model, .int8, threads: threads) { $0.scales = scales })
    }
    #expect(files[0] == files[1] && files[0] == files[2])
  }

  @Test(
    "has the same bytes from a folder, a single file and GGUF in both layouts, but for the source's hash",
    arguments: ["sd15", "sd21", "sdxl"])
  func sources(family: String) throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let half = try HalfModel(family)
    let (source, single) = try (half.folder(), half.safetensors())
    let prediction: PredictionType = family == "sd21" ? .velocity : .epsilon
    func open(_ url: URL, _ parts: ModelParts = [:]) throws -> Model {
      let isFolder = url == source
      return try Model(
        at: url, configuration: isFolder ? nil : source, told: ModelHints(prediction: prediction),
        parts: parts)
    }
    var parts: ModelParts = [.textEncoder: source, .autoencoder: source]
    if family == "sdxl" { parts[.secondTextEncoder] = source }
    let models = try [
      open(source), open(single), open(half.gguf(.whole)), open(half.gguf(.unet), parts),
    ]
    let files = try models.map { try container($0, .int8) }
    let bytes = try files.map { file in
      let hash = try #require(try sourceHash(file))
      var text = try Data(contentsOf: file)
      let place = try #require(text.range(of: Data(hash.utf8)))
      text.replaceSubrange(place, with: Data(repeating: 0x30, count: 64))
      return text
    }
    for (i, other) in bytes.enumerated().dropFirst() { #expect(other == bytes[0], "source \(i)") }
    #expect(try Set(files.map { try sourceHash($0) }).count == 4, "four sources, four hashes")
  }

  private func sourceHash(_ container: URL) throws -> String? {
    let text = try SafetensorsFile(path: container.path).metadata["pentimento.provenance"]
    let fields = try text.map { try JSONSerialization.jsonObject(with: Data($0.utf8)) } as? [String: String]
    return fields?["source_sha256"]
  }

  @Test("names the SHA-256 of a single file as its source, as sha256sum says it")
  func provenance() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let half = try HalfModel("sd15")
    let file = try half.safetensors()
    let packed = try container(
      Model(at: file, configuration: SingleFile.folderURL("sd15")), .int8)
    let process = Process()
    let pipe = Pipe()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/sha256sum")
    (process.arguments, process.standardOutput) = ([file.path], pipe)
    try process.run()
    let said = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    let hash = try #require(try sourceHash(packed))
    #expect(said.hasPrefix(hash))
  }

  @Test("is verified by its hashes, which a changed byte of any kind of tensor does not pass")
  func verification() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let url = try container(Model(folder: SingleFile.folderURL("sd15")), .int8)
    #expect(try Inspection.verify(url.path).contains("as they were written"))
    let sound = try Data(contentsOf: url)
    for name in ["unet.conv_in.weight", "unet.conv_in.bias", "unet.mid_block.resnets.0.conv1.weight"] {
      var damaged = sound
      damaged[try SafetensorsFile(path: url.path).tensor(name).range.lowerBound + 5] ^= 1
      let copy = folder.appending(path: "damaged.safetensors")
      try damaged.write(to: copy)
      #expect(throws: WeightFileError.damagedTensor(file: copy.path, tensor: name)) {
        try Inspection.verify(copy.path)
      }
    }
    #expect(throws: WeightFileError.self) {
      try Inspection.verify(SingleFile.folderURL("sd15").appending(path: "unet").path)
    }
  }

  @Test("carries LoRA files like the folder, bit by bit in 32 bits, and beside int8 weights")
  func adapters() async throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let original = try Model(folder: SingleFile.folderURL("sd15"))
    let lora = SingleFile.fixtures.appending(path: "LoRA/sd15/diffusers.safetensors").path
    func adapted(_ model: Model, _ factor: Float) throws -> Model {
      try model.adapted(by: [LoRAReference(path: lora, factor: factor)])
    }
    let exact = try Model(at: container(original, .fp32))
    #expect(try await edit(adapted(exact, 1)) == edit(adapted(original, 1)))
    let bytes = try Model(at: container(original, .int8))
    let plain = try await edit(bytes)
    #expect(try await edit(adapted(bytes, 0)) == plain)
    #expect(try await edit(adapted(bytes, 1)) != plain)
  }

  @Test(
    "is not made of numbers that are none, whatever they become",
    arguments: [WeightPrecision.int8, .fp16, .fp32], [Float.nan, .infinity])
  func notFinite(precision: WeightPrecision, value: Float) throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let copy = folder.appending(path: "copy")
    try FileManager.default.copyItem(at: SingleFile.folderURL("sd15"), to: copy)
    let file = copy.appending(path: "unet/diffusion_pytorch_model.safetensors")
    let sound = try Data(contentsOf: file)
    for name in ["conv_in.weight", "mid_block.resnets.0.conv1.weight", "conv_norm_out.bias"] {
      var bytes = sound
      let place = try SafetensorsFile(path: file.path).tensor(name).range.lowerBound + 8
      withUnsafeBytes(of: value.bitPattern.littleEndian) {
        bytes.replaceSubrange(place..<place + 4, with: $0)
      }
      try bytes.write(to: file)
      #expect(
        throws: WeightFileError.notFinite(file: "unet/diffusion_pytorch_model.safetensors", tensor: name)
      ) { try container(Model(folder: copy), precision) }
    }
  }

  @Test("is not quantized again")
  func twice() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let url = try container(Model(folder: SingleFile.folderURL("sd15")), .int8)
    let packed = try Model(at: url)
    #expect(throws: WeightFileError.alreadyPacked(file: url.path)) { try container(packed, .int8) }
  }

  @Test("reports every weight once with what it became, and keeps what it was told to keep")
  func report() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let model = try Model(folder: SingleFile.folderURL("sd15"))
    var request = QuantizationRequest(precision: .int8)
    request.rules = [WeightRule("unet.mid_block", .fp16)]
    let url = folder.appending(path: "kept.safetensors")
    let report = try model.quantize(to: url, request, threads: 2)
    let size = try FileManager.default.attributesOfItem(atPath: url.path)[.size] as? Int
    #expect(report.bytes == size)
    #expect(Set(report.entries.map(\.name)).count == report.entries.count)
    let file = try SafetensorsFile(path: url.path)
    for entry in report.entries {
      let stored = try file.tensor(entry.name)
      #expect(stored.element == ["s8": .i8, "f16": .f16, "f32": .f32][entry.to]!, "\(entry.name)")
      #expect((file[entry.name + ".scale"] != nil) == (entry.to == "s8"), "\(entry.name)")
      if entry.name.hasPrefix("unet.mid_block") { #expect(entry.to != "s8", "\(entry.name)") }
      // Rounding to 255 steps loses at least 1/(12·127²) of the largest value's square: 42.8 dB of a row of equal sizes.
      if entry.to == "s8" { #expect(entry.signalToNoise! > 30 && entry.signalToNoise! < 60, "\(entry.name)") }
      if entry.to == "f32" { #expect(entry.signalToNoise == nil) }
    }
    #expect(report.entries.contains { $0.to == "s8" } && report.worst(10).count == 10)
    let wide = report.entries.filter { $0.activationBits == 16 }.map(\.name)
    #expect(file.metadata["pentimento.format"] == (wide.isEmpty ? "1" : "2"))
    #expect(wide.allSatisfy { $0.hasPrefix("unet.up_blocks.3.attentions.") })
    let container = try ContainerFile(file).weights(of: "unet")
    for entry in report.entries where entry.name.hasPrefix("unet.") && entry.to == "s8" {
      let format = try container.format(of: String(entry.name.dropFirst(5)))
      #expect(format.activations.rawValue == entry.activationBits, "\(entry.name)")
    }
    for part in ["attn1.to_out.0", "ff.net.0.proj", "ff.net.2"] {
      #expect(wide.contains { $0.contains(part) }, "\(part)")
    }
  }

  @Test("starts every tensor at a multiple of 64 bytes and puts the scales together at the end")
  func layout() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = try SafetensorsFile(path: container(Model(folder: SingleFile.folderURL("sdxl")), .int8).path)
    let own = file.tensors.filter { !$0.name.hasPrefix("_pad.") }
    #expect(own.allSatisfy { $0.range.lowerBound % 64 == 0 })
    let firstScale = try #require(own.firstIndex { $0.name.hasSuffix(".scale") })
    #expect(own[firstScale...].allSatisfy { $0.name.hasSuffix(".scale") })
  }
}
