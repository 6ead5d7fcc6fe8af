import Foundation
import ImageFiles
import Packing
import Pentimento
import Tensors
import TestSupport
import Testing
import WeightStorage

/// What int8 costs on a trained network, and what a rotation gets back where activations have outliers.
@Suite("Quantizing the embedded model") struct QuantizationQualityTests {
  private static let package = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().appending(path: "../..").standardizedFileURL
  private static let embedded = package.appending(path: "Weights/embedded")
  private static let prompts = (
    source: "a red ball on snow at night", target: "a green ball on snow at night"
  )

  private let folder = FileManager.default.temporaryDirectory.appending(path: "quality-\(UUID().uuidString)")

  init() throws { try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true) }

  private func picture(_ name: String) throws -> Picture {
    try PictureFile.read(Self.package.appending(path: "Examples/pairs/\(name).source.png").path)
  }

  /// Every figure of `compare` but those of whole edits, by name; nil where nothing differs.
  private func fidelity(
    of container: URL, against original: Model, _ picture: Picture
  ) async throws -> [String: Double?] {
    let fidelity = try await Fidelity(
      of: Model(at: container), against: original, picture: picture, prompts: Self.prompts, withEdits: false,
      threads: 2)
    return Dictionary(uniqueKeysWithValues: fidelity.rows.map { ($0.part, $0.decibels) })
  }

  private func container(_ model: Model, _ request: QuantizationRequest) throws -> URL {
    let url = folder.appending(path: "\(UUID().uuidString).safetensors")
    _ = try model.quantize(to: url, request, threads: 2)
    return url
  }

  @Test(
    "to int8 leaves 41.5 dB of every noise level from 101 on, of the autoencoder and of the text",
    arguments: ["colour-ball", "ground-cone"])
  func int8(name: String) async throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let model = try Model(folder: Self.embedded)
    let url = try container(model, QuantizationRequest(precision: .int8))
    let figures = try await fidelity(of: url, against: model, picture(name))
    #expect(figures.count == 3 + Fidelity.timesteps.count)
    for (part, decibels) in figures {
      // At t = 1 the input is the picture itself with a thirtieth of noise in it, of which the output is made.
      let least = part.hasSuffix("t = 1") ? 24.0 : 41.5
      #expect(decibels! >= least, "\(part): \(decibels!)")
    }
  }

  @Test("to fp16 loses nothing: its weights are stored so")
  func fp16() async throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let model = try Model(folder: Self.embedded)
    let url = try container(model, QuantizationRequest(precision: .fp16))
    let figures = try await fidelity(of: url, against: model, picture("colour-ball"))
    for (part, decibels) in figures { #expect(decibels == nil, "\(part)") }
  }

  @Test("with planted outlier channels, the rotations that calibration finds get at least 1.5 dB back")
  func rotation() async throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let original = try Model(folder: Self.embedded)
    let planted = try Model(folder: plant(factor: 32, channels: 2))
    let ball = try picture("colour-ball")

    // The same function up to rounding: powers of two in and out again.
    let plain = try container(planted, QuantizationRequest(precision: .int8))
    let sample = CalibrationPicture(try picture("ground-cone"), prompt: "a red cone on grass")
    let rotations = try await planted.rotations(for: sample, threads: 2)
    #expect(rotations.contains { $0.weight.contains("attn1.to_q") })
    var request = QuantizationRequest(precision: .int8)
    request.rotations = Dictionary(uniqueKeysWithValues: rotations.map { ($0.weight, $0.width) })
    let rotated = try container(planted, request)
    #expect(try Inspection.verify(rotated.path).contains("as they were"))

    let before = try await fidelity(of: plain, against: original, ball)
    let after = try await fidelity(of: rotated, against: original, ball)
    for timestep in Fidelity.timesteps {
      let part = "denoise, t = \(timestep)"
      #expect(after[part]!! >= before[part]!! + 1.5, "\(part): \(before[part]!!) to \(after[part]!!)")
    }
  }

  /// The embedded model with channels behind layer norms that are `factor` times as large, and the weights that read
  /// them as much smaller.
  private func plant(factor: Float, channels: Int) throws -> URL {
    let copy = folder.appending(path: "planted")
    try FileManager.default.copyItem(at: Self.embedded, to: copy)
    let path = copy.appending(path: "unet/diffusion_pytorch_model.safetensors").path
    let file = try SafetensorsFile(path: path)
    var values: [String: [Float]] = [:]
    for tensor in file.tensors { values[tensor.name] = try file.floats(tensor.name) }
    let readers = [
      "norm1": ["attn1.to_q", "attn1.to_k", "attn1.to_v"], "norm2": ["attn2.to_q"],
      "norm3": ["ff.net.0.proj"],
    ]
    var count = 0
    for name in values.keys.sorted() where name.contains("transformer_blocks") && name.hasSuffix(".weight") {
      let parts = name.split(separator: ".")
      guard let weights = readers[String(parts[parts.count - 2])] else { continue }
      let block = parts.dropLast(2).joined(separator: ".")
      let width = values[name]!.count
      for i in 0..<channels {
        let channel = (7 + 29 * i + 5 * count) % width
        values[name]![channel] *= factor
        values["\(name.dropLast(7)).bias"]![channel] *= factor
        for weight in weights {
          let reader = "\(block).\(weight).weight"
          for row in 0..<values[reader]!.count / width { values[reader]![row * width + channel] /= factor }
        }
      }
      count += 1
    }
    let tensors = file.tensors.map { ($0.name, StoredTensor(values[$0.name]!, shape: $0.shape)) }
    try SafetensorsWriter.write(Dictionary(uniqueKeysWithValues: tensors), to: path)
    return copy
  }
}
