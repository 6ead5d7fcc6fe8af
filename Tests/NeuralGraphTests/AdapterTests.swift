import NeuralGraph
import Tensors
import Testing

@Suite("Adapter") struct AdapterTests {
  private static let adapters = [
    "fc": [Adapter(path: "lora.0.fc", rank: 2, factor: 1.5), Adapter(path: "lora.1.fc", rank: 3, factor: -2)]
  ]

  /// The layer, and what it is made of, as outputs of one network.
  private func run(scale: Float) throws -> [String: HostTensor] {
    var network = try Network(inputs: ["x": [3, 5]], adapters: Self.adapters) { g, v in
      try g["fc"].linear(v[0], to: 4)
    }
    let (root, x) = (network.builder.root, network.values["x"]!)
    network.inputs[Adapter.scaleName]!.values = [scale]
    func product(_ path: String, _ x: Value, to n: Int) throws -> Value {
      try root[path].linear(x, to: n, bias: false)
    }
    // The builder knows no adapters under these paths, so these are plain layers of the same weights.
    let first = try product("lora.0.fc.lora_B", product("lora.0.fc.lora_A", x, to: 2), to: 4)
    let second = try product("lora.1.fc.lora_B", product("lora.1.fc.lora_A", x, to: 3), to: 4)
    return try network.run(["y": network.output, "first": first, "second": second])
  }

  @Test("adds s·c·B(A·x) of every branch to its layer") func sum() throws {
    let (plain, all) = (try run(scale: 0), try run(scale: 0.5))
    for i in 0..<12 {
      let branches = 1.5 * all["first"]!.values[i] - 2 * all["second"]!.values[i]
      let wanted = plain["y"]!.values[i] + 0.5 * branches
      // Three roundings of sums whose terms are below 16.
      #expect(abs(all["y"]!.values[i] - wanted) <= 3 * 16 * 0x1p-24)
      #expect(abs(branches) > 1e-3)
    }
  }

  @Test("leaves graphs without side branches as they are") func absent() throws {
    let builder = GraphBuilder(adapters: Self.adapters)
    let x = builder.root.input("x", TensorType([3, 5]))
    _ = try builder.root["other"].linear(x, to: 4)
    #expect(builder.graph.nodes.count == 1)
    #expect(!builder.graph.origins.contains(.input(Adapter.scaleName)))
  }

  @Test("shares one factor among all layers") func oneFactor() throws {
    let builder = GraphBuilder(adapters: [
      "a": Self.adapters["fc"]!, "b": [Adapter(path: "p", rank: 1, factor: 1)],
    ])
    let x = builder.root.input("x", TensorType([3, 5]))
    _ = try builder.root["b"].linear(builder.root["a"].linear(x, to: 4), to: 2)
    #expect(builder.graph.origins.filter { $0 == .input(Adapter.scaleName) }.count == 1)
  }
}
