import Kernels
import NeuralGraph
import Runtime
import Tensors
import TestSupport
import Testing

@Suite("Executor") struct ExecutorTests {
  private struct Subject {
    let graph: Graph
    let output: Value
    let weights: TemporaryCheckpoint

    init() throws {
      let builder = GraphBuilder()
      let g = builder.root
      var h = g.input("x", TensorType([6, 5, 16]))
      for i in 0..<4 { h = try g.add(h, g["c"][i].conv(g.silu(h), to: 16, kernel: 3)) }
      graph = builder.graph
      output = h
      weights = try TemporaryCheckpoint(
        Dictionary(
          uniqueKeysWithValues: graph.weights.enumerated().map { index, weight in
            (weight.name, HostTensor.random(weight.shape, seed: UInt64(index), scale: 0.1))
          }))
    }

    func run(
      budget: Int? = nil, lanes: Int = 1, threads: Int = 1, _ queries: [[String: HostTensor]]
    ) throws -> [[String: HostTensor]] {
      let plan = try Planner(threads: threads, budget: budget, lanes: lanes).plan(graph, keep: ["y": output])
      let executor = try Executor(
        graph, plan, weights: NetworkWeights(graph.weights, in: weights.checkpoint),
        pool: ThreadPool.of(threads))
      executor.poison()
      return try executor.run(queries)
    }
  }

  private let queries = (1...3).map { ["x": HostTensor.random([6, 5, 16], seed: UInt64($0))] }

  @Test("gives the same bits resident and streamed, for any number of lanes and threads")
  func sameBits() throws {
    let subject = try Subject()
    let reference = try subject.run(queries)
    for threads in 1...2 {
      let roomy = try Planner(threads: threads).plan(subject.graph, keep: ["y": subject.output])
      for lanes in 1...3 {
        // Four kernels of 9.2 kB: room for the working memory, the window and one of them.
        let budget = roomy.peakBytes + (lanes - 1) * roomy.arenaBytes - 18_000
        #expect(try subject.run(budget: budget, lanes: lanes, threads: threads, queries) == reference)
      }
    }
  }

  @Test("answers a query the same whatever else is in the list")
  func listIndependence() throws {
    let subject = try Subject()
    #expect(try subject.run([queries[1]])[0] == subject.run(queries)[1])
  }

  @Test("gives the same bits in a last run, whose memory goes back before they are copied")
  func lastRun() throws {
    let subject = try Subject()
    let reference = try subject.run(queries)
    let roomy = try Planner(threads: 1).plan(subject.graph, keep: ["y": subject.output])
    for budget in [nil, roomy.peakBytes - 18_000] {
      let plan = try Planner(threads: 1, budget: budget).plan(subject.graph, keep: ["y": subject.output])
      let executor = try Executor(
        subject.graph, plan, weights: NetworkWeights(subject.graph.weights, in: subject.weights.checkpoint),
        pool: ThreadPool.of(1))
      #expect(try executor.run([queries[0]])[0] == reference[0])
      #expect(try executor.runLast(queries[1]) == reference[1])
    }
  }

  @Test("gives the same bits where memory becomes scarce, with copied weights given back and read again")
  func pressure() throws {
    let subject = try Subject()
    let reference = try subject.run(queries)
    let plan = try Planner(threads: 1).plan(subject.graph, keep: ["y": subject.output])
    let executor = try Executor(
      subject.graph, plan, weights: NetworkWeights(subject.graph.weights, in: subject.weights.checkpoint),
      pool: ThreadPool.of(1))
    #expect(try executor.run(queries) == reference)
    for wanted in [10_000, 20_000, .max] {
      executor.missing = { wanted }
      // Kernels of two pages and more, of which at least one is empty when it has been given back.
      for _ in 0..<2 { #expect(try executor.run(queries) == reference) }
      #expect(executor.yieldedBytes >= min(wanted, plan.residentBytes - 64 * 8))
    }
  }

  @Test("reads nothing that an earlier run left behind")
  func noLeftovers() throws {
    let subject = try Subject()
    let plan = try Planner(threads: 1).plan(subject.graph, keep: ["y": subject.output])
    let executor = try Executor(
      subject.graph, plan, weights: NetworkWeights(subject.graph.weights, in: subject.weights.checkpoint),
      pool: ThreadPool.of(1))
    let first = try executor.run([queries[0]])
    _ = try executor.run([queries[1]])
    executor.poison()
    #expect(try executor.run([queries[0]]) == first)
  }
}
