import Editing
import NeuralGraph
import Runtime

/// How large what a network works on is: the picture, in pixels, and the prompt.
package struct NetworkSize: Hashable, Sendable {
  package var width: Int
  package var height: Int
  /// Sequences of the text encoder that a prompt has, one below the other; what is told no prompt has one.
  package var contexts: Int

  package init(width: Int, height: Int, contexts: Int = 1) {
    (self.width, self.height, self.contexts) = (width, height, contexts)
  }
}

/// Values that a run gives back beside a network's outputs.
package struct KeptValues: OptionSet, Hashable, Sendable {
  package let rawValue: Int
  package init(rawValue: Int) { self.rawValue = rawValue }

  /// Cross-attention probabilities, where a network can collect them.
  package static let attentionMaps = KeptValues(rawValue: 1)
  /// Every value that the network's author named, as `block.NAME`.
  package static let taps = KeptValues(rawValue: 2)
  /// The arithmetic of gradients: activations are floats, whatever the weights are stored as.
  package static let floats = KeptValues(rawValue: 4)
  /// The gradient of the loss by the context.
  package static let contextGradient = KeptValues(rawValue: 8)
  /// By the latent.
  package static let latentGradient = KeptValues(rawValue: 16)
  /// By every trained value.
  package static let parameterGradients = KeptValues(rawValue: 32)
  /// In the place of a loss, ⟨output, seed⟩ with a seed that the query gives.
  package static let seededGradient = KeptValues(rawValue: 64)

  /// What every layer reads, as a value of its own: for surveys of activations.
  package static let layerInputs = KeptValues(rawValue: 128)

  static let gradients: KeptValues = [.contextGradient, .latentGradient, .parameterGradients]

  /// Whether there is a backward pass.
  var differentiates: Bool { !isDisjoint(with: .gradients) }
  var keepsFloats: Bool { differentiates || contains(.floats) }

  /// What a method asks for.
  init(_ demands: NetworkDemands) {
    self = []
    if demands.contains(.attentionMaps) { insert(.attentionMaps) }
    if demands.contains(.floats) { insert(.floats) }
    if demands.contains(.contextGradient) { insert(.contextGradient) }
  }
}

/// A network as models have it: what emits its graph, and what a run reads of it.
package protocol Network: Sendable {
  /// What plans and refusals call it, `denoise`.
  var name: String { get }
  /// Both sides of a picture are multiples of so many pixels; nil where the graph does not depend on a picture.
  var sizeMultiple: Int? { get }
  /// The most queries that are worth computing side by side where weights are streamed.
  var lanes: Int { get }
  /// Whether its pictures may be computed line by line where they are read.
  var worksByLines: Bool { get }
  /// The same network with its weights called what files call them today.
  var withCurrentNames: any Network { get }

  /// Emits the network; its inputs are the graph's.
  ///
  /// Where gradients are kept, the backward pass is a block of its own, the last, and computes those blocks again that
  /// the builder says.
  ///
  /// - Returns: the values that are read after a run, by name.
  func define(_ g: Scope, _ size: NetworkSize, keeping kept: KeptValues) throws -> [String: Value]
}

extension Network {
  package var lanes: Int { 1 }
  package var worksByLines: Bool { false }
  package var withCurrentNames: any Network { self }

  /// Emits the network for the smallest picture: it reads the same weights as for any other.
  func defineSmallest(_ g: Scope) throws -> [String: Value] {
    let side = sizeMultiple ?? 1
    return try define(g, NetworkSize(width: side, height: side), keeping: [])
  }
}

/// The graph of a network, and what is read of it after a run.
struct NetworkGraph: Sendable {
  let graph: Graph
  let outputs: [String: Value]

  init(graph: Graph, outputs: [String: Value]) { (self.graph, self.outputs) = (graph, outputs) }

  init(_ network: any Network, _ size: NetworkSize, keeping kept: KeptValues, _ builder: GraphBuilder) throws
  {
    var outputs = try network.define(builder.root, size, keeping: kept)
    if kept.contains(.taps) {
      outputs.merge(builder.graph.taps.map { ("block.\($0)", $1) }) { own, _ in own }
    }
    outputs = try outputs.mapValues { try builder.whole($0) }
    (graph, self.outputs) = (builder.graph, outputs)
  }
}
