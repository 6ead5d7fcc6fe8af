import NeuralGraph
import Tensors

/// Turns a graph and a byte budget into a plan.
///
/// Nodes run in order of emission; those whose results nobody reads are left out. Values share one arena by
/// lifetime, largest first into the lowest gap that fits; where an operator may write over an input (`Op.overwritten`)
/// that nobody else reads later, its output lies there, and where it reads ahead of what it writes, the input lies in the
/// output's memory (`Op.overlay`). Weights stay resident from the front of the network
/// on, as far as the budget allows, and of those behind what still fits; the rest is streamed through a window. (A network is walked in cycles, so a
/// pinned prefix is the best policy and least-recently-used the worst.) Tables are neither: the rows of them that a node
/// looks up are read into its working memory.
package struct Planner {
  package var threads: Int
  /// Bytes that the executor may allocate; nil for no limit.
  package var budget: Int?
  /// Queries that are asked for at once. Those that are computed side by side, in lanes, share one pass over streamed
  /// weights. Resident weights need one lane only: a second one would cost an arena and save nothing.
  package var lanes = 1
  /// How fast the machine computes and reads; nil where it was not measured.
  package var speed: TransferSpeed?
  /// Whether a weight is used where its file is mapped. Its pages count like a copy of it, but nothing has to pass
  /// through staging.
  package var isMapped: (Weight) -> Bool

  package init(
    threads: Int, budget: Int? = nil, lanes: Int = 1, isMapped: @escaping (Weight) -> Bool = { _ in false }
  ) {
    self.threads = threads
    self.budget = budget
    self.lanes = lanes
    self.isMapped = isMapped
  }

  /// - Parameter keep: the values that the caller will read after a run.
  package func plan(_ graph: Graph, keep: [String: Value]) throws(PlanError) -> Plan {
    let order = graph.nodesNeeded(for: keep.values)
    var plan = outline(of: graph, order, keep: keep)
    try placeWeights(of: graph, order, in: &plan)
    return plan
  }

  /// What a run holds beside weights: a plan without steps.
  private func outline(of graph: Graph, _ order: [Int], keep: [String: Value]) -> Plan {
    var plan = Plan()
    plan.outputs = keep
    placeValues(of: graph, order, keep: Set(keep.values), in: &plan)
    for (_, value) in graph.parameters {
      plan.parameterOffset[value] = plan.parameterBytes
      plan.parameterBytes += graph.type(value).byteCount.aligned
    }
    for index in order {
      let own = graph.scratchBytes(ofNode: index, threads: threads)
      let rows = TableLookup(graph.nodes[index], of: graph)?.byteCount
      if rows != nil { plan.lookupOffset[index] = own }
      plan.scratchBytes = max(plan.scratchBytes, own + (rows ?? 0))
    }
    plan.stagingBytes =
      order.flatMap(graph.weights(ofNode:)).compactMap { value, bytes in
        let weight = graph.weight(value)!
        return isMapped(weight) ? nil : WeightLoader.stagingBytes(weight, bytes: bytes)
      }.max() ?? 0
    return plan
  }

  /// What a run holds where all weights are streamed and none is read ahead, the least that will do: a plan without
  /// steps.
  package func leanest(_ graph: Graph, keep: [String: Value]) -> Plan {
    let order = graph.nodesNeeded(for: keep.values)
    var plan = outline(of: graph, order, keep: keep)
    plan.windowBytes = window(order.map(graph.weights(ofNode:)))
    return plan
  }

  /// Room for the weights of the node that has most.
  private func window(_ perNode: [[(value: Value, bytes: Int)]]) -> Int {
    perNode.map { $0.map(\.bytes.aligned).reduce(0, +) }.max() ?? 0
  }

  private func placeValues(of graph: Graph, _ order: [Int], keep: Set<Value>, in plan: inout Plan) {
    var lives = Lifetimes(of: graph, order, keep: keep)
    let overwriting = lives.overwrite(in: graph, order)
    var best = Placement(of: lives.blocks(of: graph))
    // Values at fixed distances leave gaps, which may cost more than they save.
    for value in lives.under.keys.sorted(by: { $0.id < $1.id }) {
      var apart = lives
      apart.under[value] = nil
      let placement = Placement(of: apart.blocks(of: graph))
      if placement.extent < best.extent { (lives, best) = (apart, placement) }
    }
    plan.valueOffset = best.offsets
    for (value, first) in overwriting { plan.valueOffset[value] = plan.valueOffset[first] }
    plan.arenaBytes = best.extent
  }

  private func placeWeights(of graph: Graph, _ order: [Int], in plan: inout Plan) throws(PlanError) {
    let perNode = order.map(graph.weights(ofNode:))
    var resident = Set(perNode.joined().map(\.value))
    var window = 0
    if let budget {
      let total = perNode.joined().uniqued.map(\.bytes.aligned).reduce(0, +)
      if plan.peakBytes + total > budget {
        window = self.window(perNode)
        guard plan.peakBytes + window <= budget else {
          throw .overBudget(needed: plan.peakBytes + window, budget: budget)
        }
        let room = budget - plan.peakBytes - window
        let multiplyAdds = speed == nil ? 0 : graph.multiplyAdds(for: plan.outputs.values)
        plan.choices = (1...max(lanes, 1)).filter { ($0 - 1) * plan.arenaBytes <= room }.map {
          LaneChoice(
            lanes: $0, of: max(lanes, 1), arena: plan.arenaBytes, window: window, weights: total, room: room,
            multiplyAdds: multiplyAdds, speed)
        }
        plan.lanes = LaneChoice.best(of: plan.choices).lanes
        // What the next nodes need is read while one computes.
        plan.readAheadBytes = min(window, room - (plan.lanes - 1) * plan.arenaBytes) / 64 * 64
        var left = budget - plan.peakBytes - window
        resident = []
        for (value, bytes) in perNode.joined().uniqued {
          // Behind the first that does not fit, smaller ones may.
          guard left >= bytes.aligned else { continue }
          left -= bytes.aligned
          resident.insert(value)
        }
      }
    }
    for (value, bytes) in perNode.joined().uniqued where resident.contains(value) {
      plan.residentOffset[value] = plan.residentBytes
      plan.residentBytes += bytes.aligned
    }
    plan.windowBytes = window
    plan.steps = Step.schedule(order, of: graph) { !resident.contains($0) }
  }
}

extension Graph {
  /// Indices of the nodes that contribute to `values`, in order.
  func nodesNeeded(for values: some Collection<Value>) -> [Int] {
    var needed = Set(values)
    var order: [Int] = []
    for (index, node) in nodes.enumerated().reversed()
    where node.outputs.contains(where: needed.contains) {
      needed.formUnion(node.inputs)
      order.append(index)
    }
    return order.reversed()
  }

  /// The weights that a node reads as a whole, each once.
  func weights(ofNode index: Int) -> [(value: Value, bytes: Int)] {
    nodes[index].inputs.compactMap { value in
      guard let weight = weight(value), weight.role != .table else { return nil }
      return (value, type(value).byteCount)
    }.uniqued
  }

  func scratchBytes(ofNode index: Int, threads: Int) -> Int {
    nodes[index].op.scratchBytes(nodes[index].inputs.map(type), threads: threads).aligned
  }
}

extension Int {
  /// Rounded up to the alignment of tensors.
  var aligned: Int { (self + 63) / 64 * 64 }
}

extension Sequence where Element == (value: Value, bytes: Int) {
  /// The first occurrence of every weight.
  fileprivate var uniqued: [Element] {
    var seen: Set<Value> = []
    return filter { seen.insert($0.value).inserted }
  }
}
