import Tensors

extension Scope {
  /// Emits the backward pass of `output` down to `targets` and nothing else: the backward pass is more graph.
  ///
  /// Reverse-mode differentiation over the nodes emitted so far. Only values on a path from a target to
  /// `output` get a gradient, so nothing before the first target is computed.
  ///
  /// - Parameters:
  ///   - seed: ∂L/∂output, of the output's type.
  ///   - recomputing: of which blocks the forward nodes are emitted again before their gradient nodes, so that only
  ///     the values at their boundaries stay alive. The operators are the same, so are all bits of the result.
  /// - Throws: `notDifferentiable` and `gradientOfStatistic`, by name.
  /// - Returns: ∂L/∂target for every target, nil where `output` does not depend on it.
  package func gradient(
    of output: Value, seed: Value, wrt targets: [Value], recomputing: (Int) -> Bool = { _ in false }
  ) throws(GraphError) -> [Value?] {
    let forward = builder.graph.nodes
    let reached = valuesReached(from: targets, through: forward)
    let contributing = nodesContributing(to: output, among: forward)
    var gradients = [output: seed]

    let blocks = Dictionary(grouping: forward.indices.filter(contributing.contains)) { index in
      var block = forward[index].block
      while builder.joined.contains(block), recomputing(block), recomputing(block - 1) { block -= 1 }
      return block
    }
    for block in blocks.keys.sorted(by: >) {
      let nodes = blocks[block]!.map { forward[$0] }
      guard nodes.contains(where: { $0.outputs.contains { reached.contains($0) && gradients[$0] != nil } })
      else { continue }
      // What is stored in halves is loaded again in any case.
      let again = try emitAgain(recomputing(block) ? nodes : nodes.filter { $0.op is LoadedLines })

      for node in nodes.reversed() {
        guard node.outputs.contains(where: { reached.contains($0) && gradients[$0] != nil }) else { continue }
        for (output, name) in zip(node.outputs.dropFirst(), node.op.statistics) where gradients[output] != nil
        {
          throw .gradientOfStatistic(op: "\(Swift.type(of: node.op))", output: name)
        }
        let wanted = node.inputs.map(reached.contains)
        var recomputed = node
        recomputed.inputs = node.inputs.map { again[$0] ?? $0 }
        recomputed.outputs = node.outputs.map { again[$0] ?? $0 }
        let dIn = try node.op.vjp(
          recomputed, dOut: node.outputs.map { gradients[$0] }, wanted: wanted, self)
        for (value, d) in zip(node.inputs, dIn) where reached.contains(value) {
          guard let d else { continue }
          if let sum = gradients[value] { gradients[value] = try add(sum, d) } else { gradients[value] = d }
        }
      }
    }
    return targets.map { gradients[$0] }
  }

  /// The values that depend on one of `targets`, and the targets.
  private func valuesReached(from targets: [Value], through nodes: [Node]) -> Set<Value> {
    var reached = Set(targets)
    for node in nodes where node.inputs.contains(where: reached.contains) { reached.formUnion(node.outputs) }
    return reached
  }

  /// Indices of the nodes that `output` depends on.
  private func nodesContributing(to output: Value, among nodes: [Node]) -> Set<Int> {
    var needed: Set = [output]
    var contributing: Set<Int> = []
    for (index, node) in nodes.enumerated().reversed() where node.outputs.contains(where: needed.contains) {
      needed.formUnion(node.inputs)
      contributing.insert(index)
    }
    return contributing
  }

  /// Emits forward nodes once more. What turns out unread is dropped by the planner.
  private func emitAgain(_ nodes: [Node]) throws(GraphError) -> [Value: Value] {
    var again: [Value: Value] = [:]
    for node in nodes {
      let fresh = try emit(node.op, node.inputs.map { again[$0] ?? $0 })
      for (old, new) in zip(node.outputs, fresh) { again[old] = new }
    }
    return again
  }
}
