import Foundation
import NeuralGraph
import StableDiffusion
import Tensors
import Testing

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

  @Test(
    "returns a latent of the size it was given, odd or even",
    arguments: Fixture.allCases, [(8, 16), (5, 7), (1, 1), (9, 12)])
  func sizes(fixture: Fixture, size: (height: Int, width: Int)) throws {
    let (values, g) = try define(fixture, height: size.height, width: size.width)
    #expect(g.shape(values.out) == [size.height, size.width, 4])
  }

  @Test(
    "shows one attention map for every cross-attention on a quarter of the grid, outside the middle",
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

  @Test("norms of residual blocks take the configuration's epsilon, those of transformers 1e-6")
  func epsilons() throws {
    // With activations of unit scale the two differ by less than the reference's tolerance.
    let (_, g) = try define(.sd15, height: 16, width: 8)
    let norms = g.builder.graph.nodes.map { "\($0.op)" }.filter { $0.hasPrefix("GroupStatistics") }
    #expect(norms.filter { $0.hasSuffix("epsilon: 1e-05)") }.count == 2 * 22 + 1)
    #expect(norms.filter { $0.hasSuffix("epsilon: 1e-06)") }.count == 16)
  }

  @Test("recomputes residual blocks, transformers and their feed-forwards one by one") func blocks() throws {
    let (_, g) = try define(.sd15, height: 16, width: 8)
    // 22 residual blocks, 16 transformers of one layer with its feed-forward each; what comes before the first and
    // after the last.
    let found = Set(g.builder.graph.nodes.map(\.block)).count
    #expect(found == 22 + 16 + 16 + 2)
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

  @Test(
    "reads its attention under the names and in the shape that the file has",
    arguments: [
      ("to_q", "to_out.0", [16, 16]), ("query", "proj_attn", [16, 16]),
      ("query", "proj_attn", [16, 16, 1, 1]),
    ])
  func attentionNaming(query: String, out: String, shape: [Int]) throws {
    let naming = AttentionNaming { $0 == "encoder.mid_block.attentions.0.\(query).weight" ? shape : nil }
    let weights = try Networks.autoencoder(Autoencoder(configuration, naming: naming)).weights
    for coder in ["encoder", "decoder"] {
      #expect(weights["\(coder).mid_block.attentions.0.\(query).weight"] == shape)
      #expect(weights["\(coder).mid_block.attentions.0.\(out).weight"] == shape)
    }
  }

  @Test("norms take an epsilon of 1e-6") func epsilons() throws {
    let norms = try Networks.autoencoder(Autoencoder(configuration)).graphs.flatMap(\.nodes)
      .map { "\($0.op)" }.filter { $0.hasPrefix("GroupNorm") }
    #expect(!norms.isEmpty && norms.allSatisfy { $0.hasSuffix("epsilon: 1e-06)") })
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
    encoder.prefix = TextEncoder.prefix(ofNames: [
      "embeddings.token_embedding.weight", "text_projection.weight",
    ])
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
