import NeuralGraph
import Runtime
import Tensors
import Testing

@Suite("Lanes") struct LaneChoiceTests {
  private static let slow = TransferSpeed(multiplyAddsPerSecond: 1e9, bytesPerSecond: 1e3)

  /// Eight layers of 4 kB of weights each, and values of 16 kB or 1 kB beside them.
  private func graph(rows: Int) throws -> (Graph, Value) {
    let builder = GraphBuilder()
    var h = builder.root.input("x", TensorType([rows, 32]))
    for i in 0..<8 { h = try builder.root["layer"][i].linear(h, to: 32) }
    return (builder.graph, h)
  }

  private func plan(
    _ graph: (Graph, Value), queries: Int, beside spare: Int, _ speed: TransferSpeed? = nil
  ) throws -> Plan {
    var planner = Planner(threads: 1, lanes: queries)
    let leanest = planner.leanest(graph.0, keep: ["y": graph.1]).peakBytes
    planner.budget = leanest + spare
    planner.speed = speed
    return try planner.plan(graph.0, keep: ["y": graph.1])
  }

  @Test("are as many as come at once where activations are small") func many() throws {
    let graph = try graph(rows: 1)
    let plan = try plan(graph, queries: 8, beside: 12_000)
    #expect(plan.lanes == 8 && plan.choices.map(\.lanes) == Array(1...8))
    #expect(plan.choices.map(\.passes) == [8, 4, 3, 2, 2, 2, 2, 1])
    #expect(plan.choices[7].bytes < plan.choices[3].bytes)
  }

  /// 5 lanes take as many passes as 4 and leave less room for weights that stay.
  @Test("are no more than save a pass") func whole() throws {
    let graph = try graph(rows: 8)
    let lanes = try plan(graph, queries: 8, beside: 8000).lanes
    #expect([1, 2, 3, 4, 8].contains(lanes))
  }

  @Test("are few where they would drive out the weights that stay") func few() throws {
    let graph = try graph(rows: 512)
    // All weights but one layer's would stay, or one more arena of 128 kB.
    let plan = try plan(graph, queries: 2, beside: 28_000)
    #expect(plan.lanes == 1)
  }

  @Test("leave room to read ahead where the time is known") func ahead() throws {
    let graph = try graph(rows: 16)
    for spare in stride(from: 4000, through: 40_000, by: 3000) {
      let plan = try plan(graph, queries: 6, beside: spare, Self.slow)
      guard plan.windowBytes > 0 else { continue }
      let chosen = try #require(plan.choices.first { $0.lanes == plan.lanes })
      for other in plan.choices { #expect(chosen.seconds! <= 1.01 * other.seconds!) }
      // What is told is what the plan does.
      let streamed = graph.0.weights.reduce(0) { $0 + ($1.type(storedAs: .f32).byteCount + 63) / 64 * 64 }
      #expect(chosen.bytes <= chosen.passes * streamed)
    }
  }
}
