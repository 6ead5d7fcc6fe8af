import Foundation
import StableDiffusion
import Tensors
import TestSupport
import Testing
import WeightStorage

/// A network of `Tests/Fixtures/Networks` (`Tools/fixtures/make_networks.py`): a configuration as diffusers reads it,
/// random weights, and what diffusers computes with them in Double.
private struct NetworkFixture {
  let json: Data
  let weights: Checkpoint
  let recorded: SafetensorsFile

  init(_ name: String) throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appending(path: "../Fixtures/Networks/\(name)").standardizedFileURL
    json = try Data(contentsOf: folder.appending(path: "config.json"))
    weights = try Checkpoint(file: folder.appending(path: "weights.safetensors").path)
    recorded = try SafetensorsFile(path: folder.appending(path: "case.safetensors").path)
  }

  func picture(_ name: String) throws -> HostTensor { HostTensor(fromNCHW: try recorded.hostTensor(name)) }

  /// A matrix, or the only one of a batch.
  func matrix(_ name: String) throws -> HostTensor {
    let tensor = try recorded.hostTensor(name)
    return HostTensor(shape: Array(tensor.shape.suffix(2)), values: tensor.values)
  }

  /// Twenty times the gap between the reference in Double and in Float.
  func expect(_ name: String, _ mine: HostTensor, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let reference = try recorded.floats(name)
    let tolerance = try #require(Float(recorded.metadata[name] ?? ""), sourceLocation: sourceLocation)
    let values = mine.toNCHW().values
    try #require(values.count == reference.count, sourceLocation: sourceLocation)
    let worst = zip(values, reference).map { abs($0 - $1) }.max()!
    // NaN compares false.
    #expect(worst <= tolerance, "\(name) is off by \(worst)", sourceLocation: sourceLocation)
  }
}

@Suite("Networks of small models agree with diffusers") struct NetworkFixtureTests {
  @Test(
    "pruned UNets",
    arguments: ["bk-sdm-base", "bk-sdm-small", "bk-sdm-tiny", "ssd-1b", "vega", "nested"])
  func unet(name: String) throws {
    let fixture = try NetworkFixture(name)
    let configuration = try UNetConfiguration(json: fixture.json)
    let (x, context) = try (fixture.picture("x"), fixture.matrix("context"))
    var read: Set<String> = []
    let network = try Running(fixture.weights) { g in
      let out = try UNet(configuration).define(
        height: x.shape[0], width: x.shape[1], tokens: context.shape[0], g
      ).out
      read = Set(g.builder.graph.weights.map(\.name))
      return ["out": out]
    }
    #expect(read == Set(fixture.weights.names), "every weight is read")
    var inputs = [
      "latent": x, "context": context, "timestep_sinusoid": configuration.timestepSinusoid(timestep: 401),
    ]
    if let sinusoid = configuration.timeIDSinusoid {
      inputs["pooled"] = try fixture.matrix("pooled")
      inputs["time_ids_sinusoid"] = sinusoid(try fixture.recorded.floats("time_ids").map(Double.init))
    }
    try fixture.expect("out", network(inputs)["out"]!)
  }

  @Test("tiny autoencoders, both ways", arguments: ["taesd", "taesd-uneven"])
  func tinyAutoencoder(name: String) throws {
    let fixture = try NetworkFixture(name)
    let autoencoder = try autoencoder(describedBy: fixture.json, file: "vae/config.json") { _ in nil }
    #expect(autoencoder is TinyAutoencoder && autoencoder.scalingFactor == 1)
    let (image, z) = try (fixture.picture("image"), fixture.picture("z"))
    var read: Set<String> = []
    let encoder = try Running(fixture.weights) { g in
      let values = try autoencoder.defineEncoder(height: image.shape[0], width: image.shape[1], g)
      read.formUnion(g.builder.graph.weights.map(\.name))
      return ["moments": values.moments]
    }
    let decoder = try Running(fixture.weights) { g in
      let values = try autoencoder.defineDecoder(height: z.shape[0], width: z.shape[1], g)
      read.formUnion(g.builder.graph.weights.map(\.name))
      return ["image": values.image]
    }
    #expect(read == Set(fixture.weights.names), "every weight is read")
    try fixture.expect("latent", encoder(["image": image])["moments"]!)
    try fixture.expect("decoded", decoder(["latent": z])["image"]!)
  }
}

@Suite("Tiny autoencoder's configuration") struct TinyAutoencoderConfigurationTests {
  private static let taesd = #"{"_class_name": "AutoencoderTiny"}"#

  @Test("has the published model's shape where the file says nothing") func defaults() throws {
    let c = try TinyAutoencoderConfiguration(json: Data(Self.taesd.utf8))
    #expect(c.channels == 64 && c.encoderBlocks == [1, 3, 3, 3] && c.decoderBlocks == [3, 3, 3, 1])
    #expect(c.scalingFactor == 1)
  }

  @Test(
    "refuses by name what is not implemented",
    arguments: [
      ("act_fn", "\"gelu\""), ("latent_channels", "16"), ("upsample_fn", "\"bilinear\""),
      ("upsampling_scaling_factor", "4"), ("shift_factor", "0.5"),
    ])
  func refuses(field: String, value: String) throws {
    let json = Data(Self.taesd.dropLast().appending(", \"\(field)\": \(value)}").utf8)
    let error = failure(ModelError.self) { try TinyAutoencoderConfiguration(json: json) }
    guard case .unsupported("vae/config.json", field, _, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test(
    "refuses levels that do not fit",
    arguments: [
      ("encoder_block_out_channels", "[64, 64, 64]"), ("decoder_block_out_channels", "[64, 64, 64, 32]"),
      ("num_encoder_blocks", "[1, 3]"), ("scaling_factor", "0"),
    ])
  func contradictions(field: String, value: String) throws {
    let json = Data(Self.taesd.dropLast().appending(", \"\(field)\": \(value)}").utf8)
    let error = failure(ModelError.self) { try TinyAutoencoderConfiguration(json: json) }
    guard case .inconsistent = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }
}
