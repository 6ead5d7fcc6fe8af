import NeuralGraph

/// The part of a plan that one kind of run takes: what its outputs need, and nothing else.
struct Walk {
  let outputs: [String: Value]
  /// What a query has to give.
  let inputs: [String: Value]
  /// Trained values that are read.
  let parameters: Set<Value>
  let steps: [Step]
  /// What the steps fetch, in order.
  let blocks: [WeightBlock]

  /// - Parameter wanted: names of the outputs, nil for all.
  init(_ graph: Graph, _ plan: Plan, only wanted: Set<String>?) {
    outputs = wanted.map { wanted in plan.outputs.filter { wanted.contains($0.key) } } ?? plan.outputs
    let needed = Set(graph.nodesNeeded(for: outputs.values))
    let nodes = plan.steps.compactMap { step -> Int? in
      if case .run(let node) = step, needed.contains(node) { node } else { nil }
    }
    steps = Step.schedule(nodes, of: graph) { plan.residentOffset[$0] == nil }
    blocks = steps.compactMap { step in
      if case .fetch(let weights) = step { WeightBlock(weights, of: graph) } else { nil }
    }
    var (inputs, parameters) = ([String: Value](), Set<Value>())
    for value in nodes.flatMap({ graph.nodes[$0].inputs }) + outputs.values {
      switch graph.origin(value) {
      case .input(let name): inputs[name] = value
      case .parameter: parameters.insert(value)
      case .weight, .node, .lines: break
      }
    }
    (self.inputs, self.parameters) = (inputs, parameters)
  }
}

extension Plan {
  /// Bytes that are read from files for every run of these outputs, nil for all: of the weights that are streamed.
  package func streamedBytes(
    of graph: Graph, _ weights: NetworkWeights, only wanted: Set<String>? = nil
  ) -> Int {
    Walk(graph, self, only: wanted).blocks.flatMap(\.weights).reduce(0) { sum, place in
      sum + weights[graph.weight(place.value)!].byteCount
    }
  }

  /// Bytes that are read from files before the first run: of the weights that stay.
  package func bytesOnce(of graph: Graph, _ weights: NetworkWeights) -> Int {
    residentOffset.keys.reduce(0) { $0 + weights[graph.weight($1)!].byteCount }
  }
}

extension Step {
  /// Nodes, and between them the fetching and dropping that their streamed weights take. What is there already is not
  /// fetched again: where a backward pass turns round, it finds what it needs.
  static func schedule(_ nodes: [Int], of graph: Graph, isStreamed: (Value) -> Bool) -> [Step] {
    var steps: [Step] = []
    var present: Set<Value> = []
    // Behind the last node that reads what is in the window.
    var end = 0
    for node in nodes {
      let weights = graph.weights(ofNode: node).map(\.value).filter(isStreamed)
      if !present.isSuperset(of: weights) {
        if !present.isEmpty { steps.insert(.drop, at: end) }
        steps.append(.fetch(weights))
        present = Set(weights)
      }
      steps.append(.run(node: node))
      if !weights.isEmpty { end = steps.count }
    }
    if !present.isEmpty { steps.insert(.drop, at: end) }
    return steps
  }
}
