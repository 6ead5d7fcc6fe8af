import NeuralGraph

/// Chooses which blocks of a backward pass are computed again instead of being kept.
///
/// Activations come before resident weights: what is kept saves multiply-adds, and weights are read while others
/// compute. So as few blocks are computed again as let the graph fit with all its weights streamed, the next node's
/// read ahead; what room is left is for weights. Blocks that free most bytes per multiply-add come first.
package struct Recomputation {
  package typealias Defined = (graph: Graph, outputs: [String: Value])

  /// A graph with its plan, and what the choice costs.
  package struct Choice {
    package var blocks: Set<Int>
    package var defined: Defined
    package var plan: Plan
    package var cost: GradientCost
  }

  package var planner: Planner

  package init(_ planner: Planner) { self.planner = planner }

  /// - Parameter define: the graph with these blocks computed again. The nodes of its backward pass are the last block.
  /// - Throws: `PlanError.overBudget` with the least that would do, and what `define` throws.
  package func choose(_ define: (Set<Int>) throws -> Defined) throws -> Choice {
    let saving = try define([])
    let candidates = saving.graph.savedBlocks(for: saving.outputs.values).map(\.block)
    let leanest = try { planner.leanest($0.graph, keep: $0.outputs) }(define(Set(candidates)))

    func attempt(_ count: Int) throws -> (blocks: Set<Int>, defined: Defined, plan: Plan)? {
      let blocks = Set(candidates.prefix(count))
      let defined = count == 0 ? saving : try define(blocks)
      guard let plan = try? planner.plan(defined.graph, keep: defined.outputs),
        plan.readAheadBytes == plan.windowBytes || count == candidates.count
      else { return nil }
      return (blocks, defined, plan)
    }
    // The fewest that fit: fewer than `low` do not.
    var (low, best) = (0, try attempt(0))
    if best == nil {
      low = 1
      var high = candidates.count
      best = try attempt(high)
      while low < high {
        let middle = (low + high) / 2
        if let fitting = try attempt(middle) { (best, high) = (fitting, middle) } else { low = middle + 1 }
      }
    }
    guard let best else {
      throw PlanError.overBudget(needed: leanest.peakBytes, budget: planner.budget!)
    }
    let multiplyAdds = best.defined.graph.multiplyAdds(for: best.defined.outputs.values)
    let cost = GradientCost(
      blocks: candidates.count, recomputedBlocks: best.blocks.count, multiplyAdds: multiplyAdds,
      recomputedMultiplyAdds: multiplyAdds - saving.graph.multiplyAdds(for: saving.outputs.values),
      savingArena: planner.leanest(saving.graph, keep: saving.outputs).arenaBytes,
      leanestArena: leanest.arenaBytes, leanestScratch: leanest.scratchBytes,
      leanestWindow: leanest.windowBytes + leanest.stagingBytes, leanest: leanest.peakBytes)
    return Choice(blocks: best.blocks, defined: best.defined, plan: best.plan, cost: cost)
  }
}

/// What a loss with its gradient takes. Bytes are those of a stage.
package struct GradientCost: Sendable, Hashable {
  /// Blocks that keep something for the backward pass, or compute it again.
  package var blocks: Int
  package var recomputedBlocks: Int
  /// Of forward and backward pass, with what is computed again.
  package var multiplyAdds: Int
  package var recomputedMultiplyAdds: Int
  /// Activations where nothing is computed again, and where everything is.
  package var savingArena: Int
  package var leanestArena: Int
  package var leanestScratch: Int
  package var leanestWindow: Int
  /// The least that will do: every block computed again, no weight resident, nothing read ahead.
  package var leanest: Int
}

/// What a block of the forward pass keeps for the backward pass.
struct SavedBlock {
  var block: Int
  /// Of values that the backward pass reads and no other block.
  var bytes: Int
  /// Of the nodes that make them out of the block's inputs.
  var multiplyAdds: Int

  var bytesPerMultiplyAdd: Double { Double(bytes) / Double(max(multiplyAdds, 1)) }
}

extension Graph {
  /// The blocks before the last that keep something for it, those that free most bytes per multiply-add first.
  func savedBlocks(for outputs: some Collection<Value>) -> [SavedBlock] {
    guard let last = nodes.last?.block else { return [] }
    var (read, shared): (Set<Value>, Set<Value>) = ([], Set(outputs))
    for index in nodesNeeded(for: outputs) {
      for value in nodes[index].inputs {
        guard case .node(let source) = origin(value), nodes[source].block != nodes[index].block else {
          continue
        }
        if nodes[index].block == last { read.insert(value) } else { shared.insert(value) }
      }
    }
    var saved: [Int: [Value]] = [:]
    for value in read.subtracting(shared) {
      guard case .node(let source) = origin(value) else { continue }
      saved[nodes[source].block, default: []].append(value)
    }
    let blocks = Dictionary(grouping: nodes.indices) { nodes[$0].block }
    return saved.map { block, values in
      SavedBlock(
        block: block, bytes: values.reduce(0) { $0 + type($1).byteCount },
        multiplyAdds: multiplyAdds(making: Set(values), among: blocks[block]!))
    }.sorted {
      ($0.bytesPerMultiplyAdd, $1.block) > ($1.bytesPerMultiplyAdd, $0.block)
    }
  }

  private func multiplyAdds(making values: Set<Value>, among candidates: [Int]) -> Int {
    var (needed, sum) = (values, 0)
    for index in candidates.reversed() where nodes[index].outputs.contains(where: needed.contains) {
      needed.formUnion(nodes[index].inputs)
      sum += multiplyAdds(ofNode: index)
    }
    return sum
  }

  /// Of one run that computes these values.
  package func multiplyAdds(for values: some Collection<Value>) -> Int {
    nodesNeeded(for: values).reduce(0) { $0 + multiplyAdds(ofNode: $1) }
  }

  func multiplyAdds(ofNode index: Int) -> Int { nodes[index].op.multiplyAdds(nodes[index].inputs.map(type)) }
}
