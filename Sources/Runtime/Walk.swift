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
  let fetches: [(value: Value, bytes: Int)]

  /// - Parameter wanted: names of the outputs, nil for all.
  init(_ graph: Graph, _ plan: Plan, only wanted: Set<String>?) {
    outputs = wanted.map { wanted in plan.outputs.filter { wanted.contains($0.key) } } ?? plan.outputs
    let nodes = Set(graph.nodesNeeded(for: outputs.values))
    let runs = plan.steps.compactMap { step -> (node: Int, window: [Value: Int])? in
      if case .run(let node, let window) = step, nodes.contains(node) { (node, window) } else { nil }
    }
    steps = Step.schedule(runs)
    fetches = steps.compactMap { step in
      if case .fetch(let value, _) = step { (value, graph.type(value).byteCount) } else { nil }
    }
    var (inputs, parameters) = ([String: Value](), Set<Value>())
    for value in runs.flatMap({ graph.nodes[$0.node].inputs }) + outputs.values {
      switch graph.origin(value) {
      case .input(let name): inputs[name] = value
      case .parameter: parameters.insert(value)
      case .weight, .node, .lines: break
      }
    }
    (self.inputs, self.parameters) = (inputs, parameters)
  }
}

extension Step {
  /// Nodes with the places of their streamed weights, and between them the fetching and dropping that this takes: a
  /// weight that lies in its place already is not fetched again.
  static func schedule(_ runs: [(node: Int, window: [Value: Int])]) -> [Step] {
    var steps: [Step] = []
    var present: [Value: Int] = [:]
    // The last node that reads what is in the window.
    var end = 0
    for (node, window) in runs {
      if !window.allSatisfy({ present[$0.key] == $0.value }) {
        if !present.isEmpty { steps.insert(.drop, at: end) }
        for (value, place) in window.sorted(by: { $0.value < $1.value }) {
          steps.append(.fetch(value, at: place))
        }
        present = window
      }
      steps.append(.run(node: node, window: window))
      if !window.isEmpty { end = steps.count }
    }
    if !present.isEmpty { steps.insert(.drop, at: end) }
    return steps
  }
}
