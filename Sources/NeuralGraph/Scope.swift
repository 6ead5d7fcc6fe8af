import Tensors

/// Collects the nodes of one graph.
package final class GraphBuilder {
  package internal(set) var graph = Graph()
  private var block = 0
  /// Blocks that are computed again together with the one before, where both are.
  private(set) var joined: Set<Int> = []
  private var weights: [String: Value] = [:]
  package let lowering: Lowering
  private let trained: TrainedTensors
  fileprivate let formatOf: (String) -> WeightFormat
  /// Side branches by the path of their layer.
  let adapters: [String: [Adapter]]
  private var scaleOfAdapters: Value?
  /// Convolutions that no node computes yet.
  var deferred: [Value: DeferredLayer] = [:]

  /// - Parameters:
  ///   - adapters: side branches by the path of their layer; paths that no layer has are passed over.
  ///   - trained: tensors that are values of the run and not of the checkpoint (`Origin.parameter`), whose name
  ///     and shape they have.
  ///   - lowering: what the layers become operators for.
  ///   - formatOf: how the checkpoint stores a tensor.
  package init(
    adapters: [String: [Adapter]] = [:], trained: TrainedTensors = .none, lowering: Lowering = Lowering(),
    formatOf: @escaping (String) -> WeightFormat = { _ in WeightFormat(.f32) }
  ) {
    (self.adapters, self.trained, self.lowering, self.formatOf) = (adapters, trained, lowering, formatOf)
  }

  fileprivate func format(of name: String) -> WeightFormat {
    trained.contains(name) ? WeightFormat(.f32) : formatOf(name)
  }

  /// Whether an attention between these layers computes in bytes.
  func attendsInBytes(_ projections: [Scope]) -> Bool {
    lowering.attention == .int8 && !lowering.keepsFloats
      && (lowering.multipliesBytes || projections.allSatisfy(\.multipliesBytes))
  }

  /// Whether a backward pass computes what is emitted now once more.
  var isRecomputed: Bool { lowering.recomputed.contains(block) }

  func isTrained(_ name: String) -> Bool { trained.contains(name) }

  /// The common factor of all side branches, one input for the whole graph.
  func adapterScale() -> Value {
    if let known = scaleOfAdapters { return known }
    let value = define(TensorType([1]), .input(Adapter.scaleName))
    scaleOfAdapters = value
    return value
  }

  /// The root of the checkpoint's name tree.
  package var root: Scope { Scope(builder: self, path: "") }

  /// Nodes from here on belong to a new unit of recomputation.
  ///
  /// - Parameter joining: where this one and the one before it are both computed again, they are together, so that
  ///   nothing is kept between them.
  package func beginBlock(joining: Bool = false) {
    block += 1
    if joining { joined.insert(block) }
  }

  func define(_ type: TensorType, _ origin: Origin) -> Value {
    graph.types.append(type)
    graph.origins.append(origin)
    return Value(id: graph.types.count - 1)
  }

  fileprivate func weight(_ weight: Weight) -> Value {
    if let known = weights[weight.name] {
      precondition(graph.weight(known).map { $0 == weight } != false, "\(weight.name) is used in two ways")
      return known
    }
    let value =
      trained.contains(weight.name)
      ? parameter(weight) : define(weight.type(storedAs: formatOf(weight.name).element), .weight(weight))
    weights[weight.name] = value
    return value
  }

  /// A trained tensor as the operators read the weight of that role.
  private func parameter(_ weight: Weight) -> Value {
    let plain = define(TensorType(weight.shape), .parameter(weight.name))
    guard weight.role == .matrix || weight.role == .convolution else { return plain }
    // Its shape rule takes every matrix and every kernel.
    return try! emit(Panels(), [plain])[0]
  }

  fileprivate func emit(_ op: any Op, _ inputs: [Value]) throws(GraphError) -> [Value] {
    guard lowering.lineLimits != nil || lowering.activations == .f16 else { return try emitNode(op, inputs) }
    guard !lowering.worksByLines else { return try emitByLines(op, inputs) }
    var read = inputs
    if !op.readsLines { for i in read.indices { read[i] = try whole(read[i]) } }
    return try emitNode(op, read)
  }

  func emitNode(_ op: any Op, _ inputs: [Value]) throws(GraphError) -> [Value] {
    let types = try op.outputTypes(inputs.map(graph.type))
    let node = graph.nodes.count
    let outputs = types.map { define($0, .node(node)) }
    graph.nodes.append(Node(op: op, inputs: inputs, outputs: outputs, block: block))
    return outputs
  }

  /// Emits the operator of a value that is there already.
  func define(_ value: Value, by op: any Op, _ inputs: [Value]) {
    graph.origins[value.id] = .node(graph.nodes.count)
    graph.nodes.append(Node(op: op, inputs: inputs, outputs: [value], block: block))
  }
}

/// A place in the checkpoint's name tree (`down_blocks.0.resnets.1`) where nodes are emitted. The path is the
/// key: nothing is ever renamed.
package struct Scope {
  package let builder: GraphBuilder
  package let path: String

  package subscript(_ name: String) -> Scope {
    Scope(builder: builder, path: path.isEmpty ? name : "\(path).\(name)")
  }
  package subscript(_ index: Int) -> Scope { self["\(index)"] }

  /// A value that the caller of a run provides, under the same name wherever it is defined.
  package func input(_ name: String, _ type: TensorType) -> Value { builder.define(type, .input(name)) }

  /// The checkpoint tensor `path.name`. Asked for twice it is the same value.
  package func weight(_ name: String, _ shape: [Int], _ role: WeightRole) -> Value {
    builder.weight(Weight(name: self[name].path, shape: shape, role: role))
  }

  /// How the checkpoint stores the tensor `path.name`.
  func format(_ name: String) -> WeightFormat { builder.format(of: self[name].path) }

  package func emit(_ op: any Op, _ inputs: [Value]) throws(GraphError) -> [Value] {
    try builder.emit(op, inputs)
  }

  package func type(_ value: Value) -> TensorType { builder.graph.type(value) }
  package func shape(_ value: Value) -> [Int] { type(value).shape }
  /// The last dimension.
  package func channels(_ value: Value) -> Int { type(value).shape.last! }

  /// Names a value for parity tests. Costs nothing unless it is asked for.
  @discardableResult package func tap(_ name: String, _ value: Value) -> Value {
    builder.graph.taps[name] = value
    return value
  }
}

/// Which of a network's tensors are trained.
package enum TrainedTensors: Hashable, Sendable {
  case none, all
  case named(Set<String>)

  func contains(_ name: String) -> Bool {
    switch self {
    case .none: false
    case .all: true
    case .named(let names): names.contains(name)
    }
  }
}
