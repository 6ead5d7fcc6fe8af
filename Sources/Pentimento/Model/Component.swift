import NeuralGraph
import Packing
import Runtime
import Tensors
import WeightStorage

/// One row of a model: the weights of one folder, the networks that read them, and what is said of it.
///
/// Whatever is done with the networks of a model (to validate, plan, pack, adapt, hash and describe them) is a loop over
/// its components: one more network is one more row.
package struct Component: Sendable {
  /// Of the folder in a diffusers model, `unet`; the names of the weights in a container begin with it.
  package let name: String
  let networks: [any Network]
  let facts: Facts
  let checkpoint: Checkpoint
  /// Side branches by the path of their layer.
  let adapters: Adapters
  /// Tensors that are values of a run.
  let trained: TrainedTensors
  let attention: AttentionArithmetic
  /// In what the networks keep pictures between their blocks, where they can.
  let activations: ActivationPrecision
  /// What the networks read, validated.
  let weights: NetworkWeights
  let graphs = GraphCache()

  /// Every tensor that a network reads has to be there in its shape and in a floating-point format. Where names were
  /// translated, every tensor has to be read.
  ///
  /// - Throws: `WeightFileError` naming the tensor.
  package init(
    _ name: String, _ networks: [any Network], _ facts: Facts, in checkpoint: Checkpoint,
    adapters: [String: [Adapter]] = [:], trained: TrainedTensors = .none,
    attention: AttentionArithmetic = .int8, activations: ActivationPrecision = .f32
  ) throws {
    (self.name, self.networks, self.facts) = (name, networks, facts)
    (self.checkpoint, self.adapters, self.trained) = (checkpoint, adapters, trained)
    (self.attention, self.activations) = (attention, activations)
    var read: [Weight] = []
    for network in networks {
      // A tensor that is missing is reported below, with its name.
      let builder = GraphBuilder(adapters: adapters, trained: trained) {
        (try? checkpoint.format(of: $0)) ?? WeightFormat(.f32)
      }
      _ = try network.defineSmallest(builder.root)
      read += builder.graph.weights
    }
    weights = try NetworkWeights(read, in: checkpoint)
    guard checkpoint.isTranslated, adapters.isEmpty else { return }
    if let unread = Set(checkpoint.names).subtracting(read.map(\.name)).min() {
      throw WeightFileError.unknownTensor(
        file: checkpoint.label, tensor: checkpoint.ownName(of: unread))
    }
  }

  /// The component with more side branches, whose matrices lie in `matrices`.
  func adapted(by more: Adapters, in matrices: Checkpoint) throws -> Component {
    try Component(
      name, networks, facts, in: Checkpoint(checkpoint, adding: [matrices]),
      adapters: adapters.merging(more) { $0 + $1 }, trained: trained, attention: attention,
      activations: activations)
  }

  /// The component with other arithmetic; nil is its own.
  init(_ component: Component, attention: AttentionArithmetic?, activations: ActivationPrecision?) {
    (name, networks, facts) = (component.name, component.networks, component.facts)
    (checkpoint, adapters, trained) = (component.checkpoint, component.adapters, component.trained)
    weights = component.weights
    self.attention = attention ?? component.attention
    self.activations = activations ?? component.activations
  }

  /// The graph of one of the networks, built when it is first asked for.
  ///
  /// - Parameters:
  ///   - blocks: those that a backward pass computes again.
  ///   - lines: how much of its pictures is kept, of a network that works by lines.
  ///   - known: the graph, where it has just been defined.
  func graph(
    of network: any Network, _ size: NetworkSize?, keeping kept: KeptValues = [],
    recomputing blocks: Set<Int> = [], within lines: LineLimits? = nil, known: NetworkGraph? = nil
  ) throws -> NetworkGraph {
    let key = GraphCache.Key(
      network: network.name, size: network.sizeMultiple == nil ? nil : size, kept: kept, recomputed: blocks,
      lines: lines)
    return try graphs.graph(key) {
      try known ?? defined(network, size, keeping: kept, recomputing: blocks, within: lines)
    }
  }

  /// A graph that is not remembered.
  func defined(
    _ network: any Network, _ size: NetworkSize?, keeping kept: KeptValues, recomputing blocks: Set<Int>,
    within lines: LineLimits? = nil
  ) throws -> NetworkGraph {
    // Who reads values inside a network reads them whole, as floats.
    let isPlain = !kept.isDisjoint(with: [.taps, .layerInputs])
    var lowering = Lowering()
    (lowering.keepsFloats, lowering.differentiates) = (kept.keepsFloats, kept.differentiates)
    (lowering.recomputed, lowering.fuses) = (blocks, !kept.contains(.layerInputs))
    (lowering.attention, lowering.multipliesBytes) = (attention, weights.hasBytes)
    lowering.worksByLines = network.worksByLines && !isPlain
    if !isPlain { (lowering.lineLimits, lowering.activations) = (lines, activations) }
    let builder = GraphBuilder(adapters: adapters, trained: trained, lowering: lowering) {
      weights[$0].format
    }
    return try NetworkGraph(network, size ?? NetworkSize(width: 1, height: 1), keeping: kept, builder)
  }

  /// The weights of a network by the names of this component's files and by those of today's, in the order in which they
  /// are read; side branches are not counted.
  func reads(_ network: any Network) throws -> [(here: Weight, today: Weight)] {
    func weights(_ network: any Network) throws -> [Weight] {
      let builder = GraphBuilder()
      _ = try network.defineSmallest(builder.root)
      return builder.graph.weights
    }
    return Array(try zip(weights(network), weights(network.withCurrentNames)))
  }
}
