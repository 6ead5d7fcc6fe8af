import NeuralGraph
import StableDiffusion
import Testing

/// The graphs of a model and the names under which its files have their weights.
struct Networks {
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
