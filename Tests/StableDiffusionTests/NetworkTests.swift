import Foundation
import NeuralGraph
import StableDiffusion
import Tensors
import Testing
import WeightStorage

/// The graphs of a model and the names under which its files have their weights.
private struct Networks {
  var graphs: [Graph]

  var weights: [String: [Int]] {
    Dictionary(graphs.flatMap(\.weights).map { ($0.name, $0.shape) }) { first, second in
      #expect(first == second)
      return first
    }
  }

  var parameters: Int { weights.values.map { $0.reduce(1, *) }.reduce(0, +) }

  static func unet(_ configuration: UNetConfiguration) throws -> Networks {
    let builder = GraphBuilder()
    _ = try UNet(configuration).define(height: 16, width: 8, tokens: 77, builder.root)
    return Networks(graphs: [builder.graph])
  }

  static func text(_ encoder: TextEncoder) throws -> Networks {
    let builder = GraphBuilder()
    _ = try encoder.define(builder.root)
    return Networks(graphs: [builder.graph])
  }

  static func autoencoder(_ autoencoder: Autoencoder) throws -> Networks {
    let (encoder, decoder) = (GraphBuilder(), GraphBuilder())
    _ = try autoencoder.defineEncoder(height: 64, width: 128, encoder.root)
    _ = try autoencoder.defineDecoder(height: 8, width: 16, decoder.root)
    return Networks(graphs: [encoder.graph, decoder.graph])
  }
}

@Suite("Networks read exactly the tensors of a checkpoint", .serialized) struct CheckpointCoverageTests {
  private func shapes(_ checkpoint: Checkpoint) throws -> [String: [Int]] {
    Dictionary(uniqueKeysWithValues: try checkpoint.names.map { ($0, try checkpoint.shape(of: $0)) })
  }

  @Test("UNet", arguments: Fixture.allCases) func unet(fixture: Fixture) throws {
    let network = try Networks.unet(fixture.unet())
    #expect(try network.weights == shapes(fixture.model().weights(of: "unet")))
  }

  @Test("autoencoder", arguments: Fixture.allCases) func autoencoder(fixture: Fixture) throws {
    let network = try Networks.autoencoder(Autoencoder(fixture.autoencoder()))
    #expect(try network.weights == shapes(fixture.model().weights(of: "vae")))
  }

  @Test("text encoders", arguments: Fixture.allCases) func text(fixture: Fixture) throws {
    for component in fixture.textEncoders {
      let network = try Networks.text(fixture.textEncoder(component))
      #expect(try network.weights == shapes(fixture.model().weights(of: component)), "\(component)")
    }
  }

  @Test("published UNets have the published number of parameters", arguments: [
    (Published.unet15, 859_520_964), (Published.unet21, 865_910_724), (Published.unetXL, 2_567_463_684),
  ])
  func unetParameters(json: String, count: Int) throws {
    #expect(try Networks.unet(UNetConfiguration(json: Data(json.utf8))).parameters == count)
  }

  @Test("published text encoders have the published number of parameters", arguments: [
    (Published.clipL, 123_060_480), (Published.clipH, 340_387_840), (Published.clipG, 694_659_840),
  ])
  func textParameters(json: String, count: Int) throws {
    let encoder = TextEncoder(try TextEncoderConfiguration(json: Data(json.utf8)))
    #expect(try Networks.text(encoder).parameters == count)
  }

  @Test("the published autoencoder has the published number of parameters") func autoencoderParameters() throws {
    let autoencoder = Autoencoder(try AutoencoderConfiguration(json: Data(Published.autoencoder.utf8)))
    #expect(try Networks.autoencoder(autoencoder).parameters == 83_653_863)
  }
}

@Suite("UNet definition") struct UNetTests {
  /// A network for latents of this size.
  private func define(
    _ fixture: Fixture, height: Int, width: Int, attentionMaps: Bool = false
  ) throws -> (values: UNet.Values, g: Scope) {
    let g = GraphBuilder().root
    let values = try UNet(fixture.unet()).define(
      height: height, width: width, tokens: 77, attentionMaps: attentionMaps, g)
    return (values, g)
  }

  @Test("returns a latent of the size it was given, odd or even",
    arguments: Fixture.allCases, [(8, 16), (5, 7), (1, 1), (9, 12)])
  func sizes(fixture: Fixture, size: (height: Int, width: Int)) throws {
    let (values, g) = try define(fixture, height: size.height, width: size.width)
    #expect(g.shape(values.out) == [size.height, size.width, 4])
  }

  @Test("shows one attention map for every cross-attention on a quarter of the grid, outside the middle",
    arguments: [(Fixture.sd15, 5), (.sd21, 5), (.sdxl, 2 * 3 + 3 * 3), (.pruned, 3), (.embedded, 0)])
  func attentionMaps(fixture: Fixture, count: Int) throws {
    let (values, g) = try define(fixture, height: 16, width: 32, attentionMaps: true)
    #expect(values.attentionMaps.count == count)
    #expect(values.attentionMaps.allSatisfy { g.shape($0) == [4 * 8, 77] })
  }

  @Test("computes no attention map that was not asked for") func noAttentionMaps() throws {
    let without = try define(.sd15, height: 16, width: 16)
    let with = try define(.sd15, height: 16, width: 16, attentionMaps: true)
    #expect(without.values.attentionMaps.isEmpty)
    #expect(with.g.builder.graph.nodes.count == without.g.builder.graph.nodes.count + 5)
  }

  @Test("recomputes residual blocks and transformers one by one") func blocks() throws {
    let (_, g) = try define(.sd15, height: 16, width: 8)
    // 22 residual blocks and 16 transformers; what comes before the first and after the last.
    #expect(Set(g.builder.graph.nodes.map(\.block)).count == 22 + 16 + 2)
  }
}

@Suite("Autoencoder definition") struct AutoencoderTests {
  private let configuration: AutoencoderConfiguration

  init() throws { configuration = try Fixture.sd15.autoencoder() }

  @Test("makes a latent pixel of 8×8 pixels, and back") func sizes() throws {
    let g = GraphBuilder().root
    let moments = try Autoencoder(configuration).defineEncoder(height: 24, width: 40, g).moments
    #expect(g.shape(moments) == [3, 5, 8])
    let d = GraphBuilder().root
    let image = try Autoencoder(configuration).defineDecoder(height: 3, width: 5, d).image
    #expect(d.shape(image) == [24, 40, 3])
  }

  @Test("reads its attention under the names and in the shape that the file has", arguments: [
    ("to_q", "to_out.0", [16, 16]), ("query", "proj_attn", [16, 16]), ("query", "proj_attn", [16, 16, 1, 1]),
  ])
  func attentionNaming(query: String, out: String, shape: [Int]) throws {
    let naming = AttentionNaming { $0 == "encoder.mid_block.attentions.0.\(query).weight" ? shape : nil }
    let weights = try Networks.autoencoder(Autoencoder(configuration, naming: naming)).weights
    for coder in ["encoder", "decoder"] {
      #expect(weights["\(coder).mid_block.attentions.0.\(query).weight"] == shape)
      #expect(weights["\(coder).mid_block.attentions.0.\(out).weight"] == shape)
    }
  }

  @Test("leaves out what the configuration leaves out") func optionalParts() throws {
    var c = configuration
    (c.hasQuantConv, c.hasPostQuantConv, c.hasMiddleAttention) = (false, false, false)
    let names = try Networks.autoencoder(Autoencoder(c)).weights.keys
    #expect(!names.contains { $0.contains("quant_conv") || $0.contains("attentions") })
  }
}

@Suite("Text encoder definition") struct TextEncoderTests {
  @Test("reads names with and without their first part") func prefix() throws {
    var encoder = try Fixture.sd15.textEncoder("text_encoder")
    #expect(encoder.prefix == "text_model")
    let with = try Networks.text(encoder).weights.keys
    encoder.prefix = TextEncoder.prefix(ofNames: ["embeddings.token_embedding.weight", "text_projection.weight"])
    let without = try Networks.text(encoder).weights.keys
    #expect(Set(without.map { "text_model.\($0)" }) == Set(with))
  }
}

@Suite("Sinusoid") struct SinusoidTests {
  @Test("is cosines, then sines, from frequency one downwards") func order() {
    let x = Sinusoid(width: 4)(timestep: 2).values
    #expect(x == [cos(2.0), cos(0.02), sin(2.0), sin(0.02)].map(Float.init))
    let flipped = Sinusoid(width: 4, startsWithCosines: false)(timestep: 2).values
    #expect(flipped == [sin(2.0), sin(0.02), cos(2.0), cos(0.02)].map(Float.init))
  }

  @Test("follows the frequency shift") func shift() {
    #expect(Sinusoid(width: 4, frequencyShift: 1)(timestep: 1).values[1] == Float(cos(1e-4)))
  }

  @Test("puts several numbers behind each other") func several() {
    let sinusoid = Sinusoid(width: 8)
    #expect(sinusoid([3, 512]).shape == [1, 16])
    #expect(sinusoid([3, 512]).values == sinusoid([3]).values + sinusoid([512]).values)
  }
}
