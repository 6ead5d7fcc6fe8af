import Kernels
import NeuralGraph
import Tensors
import WeightStorage

/// Walks a plan: for every step, for every lane.
///
/// Owns all the memory that the plan counts, allocated at the start and given back at the end. Runs on the
/// caller's thread; only the kernels inside a node use the pool.
package final class Executor {
  package let graph: Graph
  package let plan: Plan
  private let loader: WeightLoader
  private let pool: ThreadPool
  private let arena: MemoryRegion
  private let scratch: MemoryRegion
  private let resident: MemoryRegion
  private let window: MemoryRegion
  private let inputs: [String: Value]
  /// Told every node before it runs, with what it reads; for surveys of activations.
  package var onNode: ((Node, [TensorRef]) throws -> Void)?
  /// Weights that are used where their file is mapped.
  private let mapped: [String: UnsafeMutableRawPointer]

  /// Loads the weights that stay resident.
  /// - Throws: `WeightFileError` where the checkpoint cannot be read.
  package init(_ graph: Graph, _ plan: Plan, weights checkpoint: Checkpoint, pool: ThreadPool) throws {
    self.graph = graph
    self.plan = plan
    self.pool = pool
    loader = WeightLoader(checkpoint: checkpoint)
    arena = MemoryRegion(byteCount: plan.arenaBytes * plan.lanes)
    scratch = MemoryRegion(byteCount: plan.scratchBytes)
    resident = MemoryRegion(byteCount: plan.residentBytes)
    window = MemoryRegion(byteCount: plan.windowBytes)
    var inputs: [String: Value] = [:]
    for value in plan.valueOffset.keys {
      if case .input(let name) = graph.origin(value) { inputs[name] = value }
    }
    self.inputs = inputs

    var mapped: [String: UnsafeMutableRawPointer] = [:]
    let staging = MemoryRegion(byteCount: plan.stagingBytes)
    for weight in graph.weights {
      let offset = plan.residentOffset[weight.name]
      guard offset != nil || plan.windowOffset[weight.name] != nil else { continue }
      if let address = try checkpoint.address(of: weight.name) {
        mapped[weight.name] = address
        if offset != nil { try checkpoint.prefetch(weight.name) }
        continue
      }
      guard let offset else { continue }
      try loader.load(weight, into: resident.address + offset, staging: staging, pool: pool)
    }
    self.mapped = mapped
  }

  deinit {
    // A weight that cannot be found any more has no pages to give back.
    for name in mapped.keys { try? loader.checkpoint.release(name) }
  }

  /// Computes the plan's outputs for every set of inputs. A result does not depend on what else is in the list.
  ///
  /// - Parameters:
  ///   - queries: values of the graph's inputs by name; of type i32 if the input is.
  ///   - wanted: names of the outputs to compute, nil for all; nodes that serve others alone are left out.
  /// - Throws: `CancellationError` between two nodes, `WeightFileError` where streamed weights cannot be read.
  package func run(
    _ queries: [[String: HostTensor]], only wanted: Set<String>? = nil
  ) throws -> [[String: HostTensor]] {
    let outputs = wanted.map { wanted in plan.outputs.filter { wanted.contains($0.key) } } ?? plan.outputs
    let nodes = wanted.map { _ in Set(graph.nodesNeeded(for: outputs.values)) }
    var results: [[String: HostTensor]] = []
    for start in stride(from: 0, to: queries.count, by: plan.lanes) {
      let group = queries[start..<min(start + plan.lanes, queries.count)]
      for (lane, query) in group.enumerated() { write(query, lane: lane) }
      try walk(lanes: group.count, only: nodes)
      results += group.indices.map { read(outputs, lane: $0 - start) }
    }
    return results
  }

  /// Fills all working memory with a pattern that no computation may depend on.
  package func poison() {
    for region in [(arena.address, arena.byteCount), (scratch.address, scratch.byteCount)] {
      region.0.initializeMemory(as: UInt8.self, repeating: 0x7f, count: region.1)
    }
  }

  private func walk(lanes: Int, only nodes: Set<Int>?) throws {
    let staging = MemoryRegion(byteCount: plan.windowBytes == 0 ? 0 : plan.stagingBytes)
    var released: [String] = []
    for (position, step) in plan.steps.enumerated() {
      try Task.checkCancellation()
      switch step {
      case .fetch(let weight):
        guard mapped[weight.name] == nil else {
          try loader.checkpoint.prefetch(weight.name)
          released.append(weight.name)
          continue
        }
        let place = window.address + plan.windowOffset[weight.name]!
        try loader.load(weight, into: place, staging: staging, pool: pool)
      case .run(let index):
        if plan.readAheadBytes > 0, position > 0, case .fetch = plan.steps[position - 1] {
          try readAhead(from: position)
        }
        if let nodes, !nodes.contains(index) { continue }
        let node = graph.nodes[index]
        for lane in 0..<lanes {
          let inputs = node.inputs.map { reference($0, lane) }
          try onNode?(node, inputs)
          node.op.run(
            OpIO(
              inputs: inputs,
              outputs: node.outputs.map { reference($0, lane) },
              scratch: scratch.address, pool: pool))
        }
      case .drop:
        for name in released { try loader.checkpoint.release(name) }
        released = []
      }
    }
    try loader.checkpoint.checkMapping()
  }

  /// Asks the system for the weights that are fetched next, in this pass or the one after it; does not wait.
  private func readAhead(from position: Int) throws {
    var isAsking = false
    for i in 1..<plan.steps.count {
      guard case .fetch(let weight) = plan.steps[(position + i) % plan.steps.count] else {
        if isAsking { return }
        continue
      }
      isAsking = true
      try loader.checkpoint.prefetch(weight.name)
    }
  }

  private func reference(_ value: Value, _ lane: Int) -> TensorRef {
    let address: UnsafeMutableRawPointer
    if let weight = graph.weight(value) {
      if let place = mapped[weight.name] {
        address = place
      } else if let offset = plan.residentOffset[weight.name] {
        address = resident.address + offset
      } else {
        address = window.address + plan.windowOffset[weight.name]!
      }
    } else {
      address = arena.address + (lane * plan.arenaBytes + plan.valueOffset[value]!)
    }
    return TensorRef(graph.type(value), at: address)
  }

  private func write(_ query: [String: HostTensor], lane: Int) {
    for (name, value) in inputs {
      let type = graph.type(value)
      guard let tensor = query[name] else { preconditionFailure("no value for input \(name)") }
      precondition(tensor.shape == type.shape, "input \(name): \(tensor.shape), planned \(type.shape)")
      let address = reference(value, lane).address
      if type.element == .i32 {
        let ids = address.bindMemory(to: Int32.self, capacity: tensor.count)
        for (i, id) in tensor.values.enumerated() { ids[i] = Int32(id) }
      } else {
        tensor.values.withUnsafeBytes { address.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
      }
    }
  }

  private func read(_ outputs: [String: Value], lane: Int) -> [String: HostTensor] {
    outputs.mapValues { value in
      let type = graph.type(value)
      let floats = reference(value, lane).address.bindMemory(to: Float.self, capacity: type.count)
      return HostTensor(
        shape: type.shape, values: Array(UnsafeBufferPointer(start: floats, count: type.count)))
    }
  }
}
