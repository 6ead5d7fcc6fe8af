import Kernels
import NeuralGraph
import Platform
import Tensors
import WeightStorage

/// Walks a plan: for every step, for every lane.
///
/// Owns all the memory that the plan counts, allocated at the start and given back at the end. Runs on the
/// caller's thread; only the kernels inside a node use the pool.
package final class Executor {
  package let graph: Graph
  package let plan: Plan
  private let weights: NetworkWeights
  private let pool: ThreadPool
  let arena: MemoryRegion
  let scratch: MemoryRegion
  let window: MemoryRegion
  private let parameters: MemoryRegion
  /// Trained values that have been given.
  private var given: Set<Value> = []
  /// The walks for what runs have asked for so far.
  private var walks: [Set<String>?: Walk] = [:]
  /// Nil where nothing is streamed.
  private var stream: WeightStream?
  /// Where the plan's weights are stored.
  private let stored: [Value: StoredWeight]
  let resident: ResidentWeights
  private let lookups: [Int: TableLookup]
  private var isPoisoned = false
  /// Of weights that were fetched for a node, bytes so far.
  package private(set) var streamedBytes = 0
  /// Told every node before it runs, with what it reads; for surveys of activations.
  package var onNode: ((Node, [TensorRef]) throws -> Void)?
  /// Asked now and then how much of what was planned cannot be had any more, bytes. Weights that were to stay are given
  /// back then and brought again when they are needed.
  package var missing: (() -> Int)?
  /// Told every node when it has run; with the hook before, for its time.
  package var afterNode: ((Node) -> Void)?

  /// Loads the weights that stay resident.
  ///
  /// - Throws: `SystemRefusal.memory`; `WeightFileError` where the checkpoint cannot be read.
  package init(_ graph: Graph, _ plan: Plan, weights: NetworkWeights, pool: ThreadPool) throws {
    self.graph = graph
    self.plan = plan
    self.weights = weights
    self.pool = pool
    Heap.trim()
    arena = try MemoryRegion(byteCount: plan.arenaBytes * plan.lanes)
    scratch = try MemoryRegion(byteCount: plan.scratchBytes)
    let windowBytes = plan.windowBytes + plan.readAheadBytes
    window = try MemoryRegion(byteCount: windowBytes)
    parameters = try MemoryRegion(byteCount: plan.parameterBytes)

    var stored: [Value: StoredWeight] = [:]
    var lookups: [Int: TableLookup] = [:]
    for case .run(let index) in plan.steps {
      lookups[index] = TableLookup(graph.nodes[index], of: graph)
      for value in graph.nodes[index].inputs where stored[value] == nil {
        if let weight = graph.weight(value) { stored[value] = weights[weight] }
      }
    }
    (self.stored, self.lookups) = (stored, lookups)
    let reader = try WeightReader(graph, stored, stagingBytes: plan.stagingBytes)
    resident = try ResidentWeights(graph, plan, stored, reader, pool: pool)
    if windowBytes > 0 {
      stream = try WeightStream(
        reader, window: window, byteCount: windowBytes, pool: ThreadPool(threads: 1, kernels: pool.kernels))
    }
  }

  deinit {
    stream = nil  // its thread writes to the window
  }

  /// What reading streamed weights has taken so far.
  package var traffic: WeightTraffic { stream?.traffic ?? WeightTraffic() }

  /// Replaces trained values; those that are not named stay.
  ///
  /// - Precondition: the graph has them, in these shapes.
  package func update(_ values: [String: HostTensor]) {
    let known = Dictionary(uniqueKeysWithValues: graph.parameters.map { ($0.name, $0.value) })
    for (name, tensor) in values {
      guard let value = known[name] else { preconditionFailure("no trained value \(name)") }
      let shape = graph.type(value).shape
      precondition(tensor.shape == shape, "trained value \(name): \(tensor.shape), planned \(shape)")
      tensor.values.withUnsafeBytes {
        place(of: value, 0).address.copyMemory(from: $0.baseAddress!, byteCount: $0.count)
      }
      given.insert(value)
    }
  }

  /// Computes the plan's outputs for every set of inputs. A result does not depend on what else is in the list.
  ///
  /// - Parameters:
  ///   - queries: values of the graph's inputs by name; of type i32 if the input is.
  ///   - wanted: names of the outputs to compute, nil for all; nodes that serve others alone are left out, with
  ///     their inputs and the reading of their weights.
  ///   - goesOn: a run like this one follows, so that its first weights may be read ahead.
  /// - Throws: `CancellationError` between two nodes, `WeightFileError` where streamed weights cannot be read.
  package func run(
    _ queries: [[String: HostTensor]], only wanted: Set<String>? = nil, goesOn: Bool = false
  ) throws -> [[String: HostTensor]] {
    let walk = walk(for: wanted)
    var results: [[String: HostTensor]] = []
    for start in stride(from: 0, to: queries.count, by: plan.lanes) {
      let group = queries[start..<min(start + plan.lanes, queries.count)]
      for (lane, query) in group.enumerated() { write(query, for: walk, lane: lane) }
      try take(walk, lanes: group.count, goesOn: goesOn || group.endIndex < queries.endIndex)
      results += group.indices.map { read(walk.outputs, lane: $0 - start) }
    }
    return results
  }

  func walk(for wanted: Set<String>?) -> Walk {
    let walk = walks[wanted] ?? Walk(graph, plan, only: wanted)
    walks[wanted] = walk
    for value in walk.parameters {
      precondition(given.contains(value), "no value for \(graph.parameter(value)!), which is trained")
    }
    return walk
  }

  /// Fills all working memory with a pattern that no computation may depend on, and from now on the window again
  /// whenever its contents are dropped.
  package func poison() {
    isPoisoned = true
    arena.fill(Self.pattern)
    scratch.fill(Self.pattern)
    window.fill(Self.pattern)
  }

  private static let pattern: UInt8 = 0x7f

  func take(_ walk: Walk, lanes: Int, goesOn: Bool) throws {
    if !walk.blocks.isEmpty { stream!.begin(walk.blocks, goesOn: goesOn) }
    var streamed: [Value: UnsafeMutableRawPointer] = [:]
    resident.yield(missing, atOnce: true)
    for (position, step) in walk.steps.enumerated() {
      try Task.checkCancellation()
      switch step {
      case .fetch(let weights):
        streamed = try stream!.take()
        streamedBytes += weights.reduce(0) { $0 + graph.type($1).byteCount }
      case .run(let index):
        let node = graph.nodes[index]
        resident.yield(missing)
        try resident.bring(for: node, walk.steps[position...])
        for lane in 0..<lanes {
          let inputs = try self.inputs(ofNode: index, lane, streamed)
          try onNode?(node, inputs)
          node.op.run(
            OpIO(
              inputs: inputs, outputs: node.outputs.map { place(of: $0, lane) },
              scratch: scratch.address, pool: pool))
          afterNode?(node)
        }
        resident.leave(node)
      case .drop:
        stream!.release(filling: isPoisoned ? Self.pattern : nil)
        streamed = [:]
      }
    }
    try weights.checkUnchanged()
  }

  /// Bytes of resident weights that were given back under pressure.
  package var yieldedBytes: Int { resident.yieldedBytes }

  private func inputs(ofNode index: Int, _ lane: Int, _ streamed: [Value: UnsafeMutableRawPointer]) throws
    -> [TensorRef]
  {
    let node = graph.nodes[index]
    func place(_ value: Value) -> TensorRef {
      graph.weight(value) == nil ? self.place(of: value, lane) : weight(value, streamed)
    }
    guard let lookup = lookups[index] else { return node.inputs.map(place) }
    let (rows, positions) = try lookup.read(
      place(lookup.indices), from: stored[lookup.table]!, to: scratch.address + plan.lookupOffset[index]!)
    return node.inputs.map { $0 == lookup.table ? rows : $0 == lookup.indices ? positions : place($0) }
  }

  private func weight(_ value: Value, _ streamed: [Value: UnsafeMutableRawPointer]) -> TensorRef {
    TensorRef(graph.type(value), at: resident.address(of: value) ?? streamed[value]!)
  }

  /// A value that is not a weight.
  private func place(of value: Value, _ lane: Int) -> TensorRef {
    let address =
      if let offset = plan.parameterOffset[value] {
        parameters.address + offset
      } else {
        arena.address + (lane * plan.arenaBytes + plan.valueOffset[value]!)
      }
    return TensorRef(graph.type(value), at: address)
  }

  func write(_ query: [String: HostTensor], for walk: Walk, lane: Int) {
    for (name, value) in walk.inputs {
      let type = graph.type(value)
      guard let tensor = query[name] else { preconditionFailure("no value for input \(name)") }
      precondition(tensor.shape == type.shape, "input \(name): \(tensor.shape), planned \(type.shape)")
      let address = place(of: value, lane).address
      if type.element == .i32 {
        let ids = address.bindMemory(to: Int32.self, capacity: tensor.count)
        for (i, id) in tensor.values.enumerated() { ids[i] = Int32(id) }
      } else {
        tensor.values.withUnsafeBytes { address.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
      }
    }
  }

  func read(_ outputs: [String: Value], lane: Int) -> [String: HostTensor] {
    outputs.mapValues { value in
      let type = graph.type(value)
      let floats = place(of: value, lane).address.bindMemory(to: Float.self, capacity: type.count)
      return HostTensor(
        shape: type.shape, values: Array(UnsafeBufferPointer(start: floats, count: type.count)))
    }
  }
}
