import Foundation
import Packing
import Pentimento
import StableDiffusion
import TestSupport
import Testing
import WeightStorage

/// Tiny autoencoders in files of their own, as their publication, diffusers and ComfyUI write them.
@Suite("Tiny autoencoder in a file") struct TinyAutoencoderFileTests {
  enum Layout: String, CaseIterable, Sendable {
    /// `encoder.layers.0.weight`
    case diffusers
    /// `encoder.0.weight`; the decoder's numbers are one higher, since its first layer has no weights.
    case combined
    /// `taesd_encoder.0.weight`, with scalars beside.
    case comfy
    /// Two files of bare numbers, of which either is named.
    case encoderFile, decoderFile
  }

  private static let networks = SingleFile.fixtures.appending(path: "Networks")

  /// The fixture's tensors.
  private func source(_ fixture: String) throws -> [String: StoredTensor] {
    let file = try SafetensorsFile(path: Self.networks.appending(path: "\(fixture)/weights.safetensors").path)
    return try Dictionary(
      uniqueKeysWithValues: file.tensors.map {
        ($0.name, StoredTensor(try file.floats($0.name), shape: $0.shape))
      })
  }

  private func renamed(
    _ tensors: [String: StoredTensor], _ half: String, _ prefix: String, by shift: Int
  ) -> [String: StoredTensor] {
    let start = "\(half).layers."
    return tensors.reduce(into: [:]) { renamed, tensor in
      guard tensor.key.hasPrefix(start) else { return }
      let rest = tensor.key.dropFirst(start.count)
      let number = rest.prefix { $0 != "." }
      renamed["\(prefix)\(Int(number)! + shift)\(rest.dropFirst(number.count))"] = tensor.value
    }
  }

  private let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)

  /// - Returns: what is named.
  private func write(_ tensors: [String: StoredTensor], as layout: Layout) throws -> String {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    func file(_ name: String, _ tensors: [String: StoredTensor]) throws -> String {
      let path = folder.appending(path: name).path
      try SafetensorsWriter.write(tensors, to: path)
      return path
    }
    func both(_ prefix: String) -> [String: StoredTensor] {
      renamed(tensors, "encoder", "\(prefix)encoder.", by: 0)
        .merging(renamed(tensors, "decoder", "\(prefix)decoder.", by: 1)) { $1 }
    }
    switch layout {
    case .diffusers: return try file("taesd.safetensors", tensors)
    case .combined: return try file("taesd.safetensors", both(""))
    case .comfy:
      var all = both("taesd_")
      all["vae_scale"] = StoredTensor([0.18215] as [Float], shape: [])
      return try file("taesd.safetensors", all)
    case .encoderFile, .decoderFile:
      let encoder = try file("taesd_encoder.safetensors", renamed(tensors, "encoder", "", by: 0))
      let decoder = try file("taesd_decoder.safetensors", renamed(tensors, "decoder", "", by: 1))
      return layout == .encoderFile ? encoder : decoder
    }
  }

  @Test(
    "has the tensors and the configuration of the folder, whatever its layout", arguments: Layout.allCases,
    ["taesd", "taesd-uneven"])
  func same(layout: Layout, fixture: String) throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let tensors = try source(fixture)
    let base = SingleFile.folderURL("sd15").path
    let model = try openModel(path: base, parts: ["vae": write(tensors, as: layout)])
    let weights = try model.weights(of: "vae")
    #expect(Set(weights.names) == Set(tensors.keys))
    let file = try SafetensorsFile(path: Self.networks.appending(path: "\(fixture)/weights.safetensors").path)
    for name in weights.names { #expect(try weights.floats(name) == file.floats(name), "\(name)") }
    let json = try Data(contentsOf: Self.networks.appending(path: "\(fixture)/config.json"))
    #expect(
      try TinyAutoencoderConfiguration(json: model.data("vae/config.json"))
        == TinyAutoencoderConfiguration(json: json))
  }

  @Test("stays what it is in a container", arguments: [Layout.encoderFile, .combined])
  func container(layout: Layout) throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let path = try write(source("taesd"), as: layout)
    let model = try Model(
      at: SingleFile.folderURL("sd15"), parts: [.autoencoder: URL(fileURLWithPath: path)])
    let packed = folder.appending(path: "packed.safetensors")
    _ = try model.quantize(to: packed, QuantizationRequest(precision: .fp32), threads: 1)
    let again = try Model(at: packed)
    #expect(Inspection.describe(again, tensors: false).contains("autoencoder  channels 8×8×8×8"))
    #expect(again.nativeSize == model.nativeSize)
  }

  @Test("of one half is refused with what is missing, and where it was looked for")
  func half() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let encoder = try write(source("taesd"), as: .encoderFile)
    let decoder = folder.appending(path: "taesd_decoder.safetensors").path
    try FileManager.default.removeItem(atPath: decoder)
    let base = SingleFile.folderURL("sd15").path
    #expect(throws: WeightFileError.lacksHalf(file: encoder, half: "decoder", beside: decoder)) {
      try openModel(path: base, parts: ["vae": encoder])
    }
    // Its place is taken by something else.
    try FileManager.default.copyItem(atPath: encoder, toPath: decoder)
    #expect(throws: WeightFileError.lacksHalf(file: decoder, half: "decoder", beside: nil)) {
      try openModel(path: base, parts: ["vae": encoder])
    }
    let other = folder.appending(path: "small.safetensors").path
    try FileManager.default.moveItem(atPath: encoder, toPath: other)
    #expect(throws: WeightFileError.lacksHalf(file: other, half: "decoder", beside: nil)) {
      try openModel(path: base, parts: ["vae": other])
    }
  }

  @Test("with a tensor of something else, or of other channels, is refused by name")
  func stranger() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let base = SingleFile.folderURL("sd15")
    func refusal(_ change: (inout [String: StoredTensor]) -> Void) throws -> String {
      var tensors = try source("taesd")
      change(&tensors)
      let path = try write(tensors, as: .diffusers)
      do {
        _ = try Model(at: base, parts: [.autoencoder: URL(fileURLWithPath: path)])
        return "was opened"
      } catch {
        return "\(error)"
      }
    }
    #expect(try refusal { $0["other.weight"] = StoredTensor([1] as [Float], shape: [1]) }.contains("other.weight"))
    #expect(
      try refusal { $0["encoder.layers.1.skip.weight"] = StoredTensor([1] as [Float], shape: [1]) }
        .contains("encoder.layers.1.skip.weight"))
    #expect(
      try refusal {
        $0["decoder.layers.0.weight"] = StoredTensor(
          [Float](repeating: 0, count: 8 * 16 * 9), shape: [8, 16, 3, 3])
      }
      .contains("latent_channels"))
    #expect(try refusal { $0["encoder.layers.2.weight"] = nil }.contains("taesd.safetensors"))
  }
}
