import NeuralGraph
import Runtime
import Tensors
import Testing

@Suite("Plan") struct PlannerTests {
  /// A convolution chain with a long skip connection, so that lifetimes differ.
  private func graph() throws -> (Graph, Value) {
    let builder = GraphBuilder()
    let x = builder.root.input("x", TensorType([8, 8, 16]))
    var h = x
    for i in 0..<5 {
      h = try builder.root["conv"][i].conv(builder.root.silu(h), to: 16 + 8 * i, kernel: 3)
    }
    let y = try builder.root.concatenate(h, x)
    _ = try builder.root.silu(y)  // nobody reads it
    return (builder.graph, y)
  }

  @Test("never lets two live values share a byte, and its peak is the last byte used")
  func lifetimes() throws {
    let (graph, y) = try graph()
    let plan = try Planner(threads: 2).plan(graph, keep: ["y": y])
    let order = plan.steps.compactMap { if case .run(let node) = $0 { node } else { nil } }
    #expect(order.count == graph.nodes.count - 1, "a node whose result nobody reads is left out")

    func bytes(_ value: Value) -> Range<Int> {
      plan.valueOffset[value]!..<plan.valueOffset[value]! + graph.type(value).byteCount
    }
    var live = Set(plan.valueOffset.keys.filter { if case .input = graph.origin($0) { true } else { false } })
    var highest = live.map { bytes($0).upperBound }.max()!
    for (time, index) in order.enumerated() {
      for output in graph.nodes[index].outputs {
        for other in live { #expect(!bytes(output).overlaps(bytes(other)), "\(output) over \(other)") }
        live.insert(output)
        highest = max(highest, bytes(output).upperBound)
      }
      let later = Set(order[(time + 1)...].flatMap { graph.nodes[$0].inputs })
      live = live.filter { later.contains($0) || $0 == y }
    }
    #expect((highest + 63) / 64 * 64 == plan.arenaBytes)
  }

  @Test("streams what does not fit and keeps a prefix resident")
  func budget() throws {
    let (graph, y) = try graph()
    let roomy = try Planner(threads: 1).plan(graph, keep: ["y": y])
    let tight = try Planner(threads: 1, budget: roomy.peakBytes - 20_000).plan(graph, keep: ["y": y])
    #expect(tight.peakBytes <= roomy.peakBytes - 20_000)
    let resident = Set(tight.residentOffset.keys.compactMap { graph.weight($0)?.name })
    #expect(resident.contains("conv.0.weight") && !resident.contains("conv.4.weight"))
    #expect(tight.windowBytes > 0)
    #expect(tight.readAheadBytes == tight.windowBytes, "the next node's weights are read while one computes")
    // The least that works reads nothing ahead.
    let floor = tight.peakBytes - tight.residentBytes - tight.readAheadBytes
    let tightest = try Planner(threads: 1, budget: floor).plan(graph, keep: ["y": y])
    #expect(tightest.readAheadBytes == 0 && tightest.peakBytes <= floor)
    // A little more is for reading ahead first: what is read meanwhile costs nothing.
    let little = try Planner(threads: 1, budget: floor + 1000).plan(graph, keep: ["y": y])
    #expect(little.readAheadBytes == 960 && little.residentBytes == 0)
  }

  @Test("keeps what still fits behind the first weight that does not") func gaps() throws {
    let builder = GraphBuilder()
    let g = builder.root
    var h = g.input("x", TensorType([4, 4, 16]))
    for (i, channels) in [16, 256, 16, 16].enumerated() {
      h = try g["conv"][i].conv(h, to: channels, kernel: 3)
    }
    let graph = builder.graph
    let roomy = try Planner(threads: 1).plan(graph, keep: ["y": h])
    // The window has room for two of the large ones, which leaves less than a small one and more than its bias.
    let budget = roomy.peakBytes - 8000
    let tight = try Planner(threads: 1, budget: budget).plan(graph, keep: ["y": h])
    #expect(tight.peakBytes <= budget && tight.windowBytes > 0)
    let resident = Set(tight.residentOffset.keys.compactMap { graph.weight($0)?.name })
    #expect(resident.contains("conv.3.bias"))
    let left = budget - tight.peakBytes
    let streamed = Set(graph.weights.map(\.name)).subtracting(resident)
    for weight in graph.weights where streamed.contains(weight.name) {
      #expect(weight.type(storedAs: .f32).byteCount > left, "\(weight.name) would fit into \(left)")
    }
  }

  @Test("computes queries side by side where that saves reading, and only where it fits")
  func lanes() throws {
    let (graph, y) = try graph()
    func plan(budget: Int) throws -> Plan {
      try Planner(threads: 1, budget: budget, lanes: 2).plan(graph, keep: ["y": y])
    }
    let roomy = try Planner(threads: 1).plan(graph, keep: ["y": y])
    #expect(try plan(budget: roomy.peakBytes).lanes == 1, "resident weights are read once")
    let shared = try plan(budget: roomy.peakBytes - 20_000)
    #expect(shared.lanes == 2 && shared.peakBytes <= roomy.peakBytes - 20_000)
    // The least that a single lane can do with has no room for another arena.
    let floor = roomy.peakBytes - roomy.residentBytes + shared.windowBytes
    #expect(try plan(budget: floor).lanes == 1)
  }

  @Test("says how much is missing when nothing fits")
  func overBudget() throws {
    let (graph, y) = try graph()
    #expect(throws: PlanError.self) {
      _ = try Planner(threads: 1, budget: 1000).plan(graph, keep: ["y": y])
    }
  }

  /// y = x + 1, in the memory of x where that may be.
  private struct Increment: Op {
    var written: Int?
    func overwritten(of inputs: Int) -> Int? { written }
    func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] { [inputs[0]] }
    func run(_ io: borrowing OpIO) {}
  }

  @Test("puts an output over an input only where the operator may, and nobody reads the input later")
  func overwriting() throws {
    func plan(overwritten: Int?, isReadLater: Bool) throws -> (Plan, values: [Value]) {
      let builder = GraphBuilder()
      let g = builder.root
      var values = [try g.silu(g.input("x", TensorType([1000])))]
      for _ in 0..<3 { values.append(try g.emit(Increment(written: overwritten), [values.last!])[0]) }
      if isReadLater { values.append(try g.add(values[3], values[1])) }
      return (try Planner(threads: 1).plan(builder.graph, keep: ["y": values.last!]), values)
    }
    let (plain, _) = try plan(overwritten: nil, isReadLater: false)
    #expect(plain.arenaBytes == 2 * 4032, "one value and the next")
    let (over, values) = try plan(overwritten: 0, isReadLater: false)
    #expect(Set(values.map { over.valueOffset[$0]! }).count == 1 && over.arenaBytes == 2 * 4032)
    let (later, kept) = try plan(overwritten: 0, isReadLater: true)
    let places = kept.map { later.valueOffset[$0]! }
    #expect(places[0] == places[1] && places[1] != places[2] && places[2] == places[3])
  }

  /// y, twice as long as x, which it may be laid over from a distance on.
  private struct Doubling: Op {
    var distance: Int?
    var overlay: Overlay? { distance.map { Overlay(input: 0, distance: $0) } }
    func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
      [TensorType([2 * inputs[0].shape[0]])]
    }
    func run(_ io: borrowing OpIO) {}
  }

  @Test("lays an input into the memory of an output that is written behind it, unless that costs more")
  func overlaying() throws {
    func plan(_ distance: Int?, doublings: Int, isReadLater: Bool = false) throws -> (Plan, [Value]) {
      let builder = GraphBuilder()
      let g = builder.root
      var values = [g.input("x", TensorType([1024]))]
      for _ in 0..<doublings { values.append(try g.emit(Doubling(distance: distance), [values.last!])[0]) }
      let last = isReadLater ? try g.concatenate(values.last!, values[0]) : values.last!
      return (try Planner(threads: 1).plan(builder.graph, keep: ["y": last]), values)
    }
    let x = 4096
    #expect(try plan(nil, doublings: 1).0.arenaBytes == 3 * x)
    let (over, values) = try plan(x, doublings: 1)
    #expect(over.arenaBytes == 2 * x, "x is the second half of y")
    #expect(values.map { over.valueOffset[$0]! } == [x, 0])
    // Distances add up along a chain, and no distance but a multiple of the alignment is used.
    let (chain, links) = try plan(100, doublings: 3)
    #expect(links.map { chain.valueOffset[$0]! } == [3 * 128, 2 * 128, 128, 0])
    #expect(chain.arenaBytes == 8 * x)
    #expect(try plan(x, doublings: 1, isReadLater: true).0.arenaBytes == 6 * x, "x is read later")
    // The distance takes more than lying side by side.
    #expect(try plan(3 * x, doublings: 1).0.arenaBytes == 3 * x)
  }
}
