import NeuralGraph

/// Operators that look at one value, one pixel or one row at a time, and losses.
func elementwiseCases(_ n: Sizes) -> [OperatorCase] {
  let (rows, c) = (n(4, 4096), n(9, 320))
  /// Values and slopes are of size 3; a function of them is off by up to 16 roundings.
  func unary(
    _ name: String, _ build: @escaping @Sendable (Scope, Value) throws -> Value,
    _ truth: @escaping @Sendable (Double) -> Double
  ) -> OperatorCase {
    OperatorCase(
      name: name, operands: [.input("x", rows, c, reach: 3)], forward: .init(16, of: 8),
      gradient: .init(16, of: 8), build: { g, v in try build(g, v["x"]) }, evaluate: { $0["x"].map(truth) })
  }
  return [
    unary("SiLU", { try $0.silu($1) }, { $0 * Scalar.sigmoid($0) }),
    unary("GELU", { try $0.gelu($1) }, { Scalar.gelu($0) }),
    unary("quick GELU", { try $0.quickGELU($1) }, { $0 * Scalar.sigmoid(1.702 * $0) }),
    unary("ReLU", { try $0.relu($1) }, { max($0, 0) }),
    unary("affine", { try $0.affine($1, by: -1.5, plus: 0.25) }, { -1.5 * $0 + 0.25 }),
    unary("soft limit", { try $0.softLimit($1, to: 1.5) }, { Scalar.softLimit($0, 1.5) }),
    geglu(rows: rows, c: n(5, 1280)),
    OperatorCase(
      name: "addition", operands: [.input("a", rows, c), .input("b", rows, c)], forward: .init(1, of: 2),
      gradient: .init(1, of: 1), build: { g, v in try g.add(v["a"], v["b"]) },
      evaluate: { zip($0["a"], $0["b"]).map { $0 + $1 } }),
    OperatorCase(
      name: "addition of a value to itself", operands: [.input("a", rows, c)], forward: .init(1, of: 2),
      gradient: .init(1, of: 2), build: { g, v in try g.add(v["a"], v["a"]) },
      evaluate: { $0["a"].map { 2 * $0 } }),
    OperatorCase(
      name: "channels added", operands: [.input("x", rows, 3, c), .input("v", 1, c)],
      forward: .init(1, of: 2),
      gradient: .init(1, of: Double(3 * rows)), build: { g, v in try g.addChannels(v["x"], v["v"]) },
      evaluate: { n in n["x"].enumerated().map { $1 + n["v"][$0 % c] } }),
    OperatorCase(
      name: "modulation",
      operands: [.input("x", rows, 3, c), .input("gamma", 1, c), .input("delta", 1, c)],
      forward: .init(3, of: 3), gradient: .init(3, of: Double(3 * rows)),
      build: { g, v in try g.modulate(v["x"], gamma: v["gamma"], delta: v["delta"]) },
      evaluate: { n in n["x"].enumerated().map { $1 * (1 + n["gamma"][$0 % c]) + n["delta"][$0 % c] } }),
    squaredError(rows: rows, c: c),
  ]
}

/// |value·gate| ≤ 9, |value|·slope ≤ 3.4, each with fewer than 8 roundings.
private func geglu(rows: Int, c: Int) -> OperatorCase {
  OperatorCase(
    name: "GEGLU", operands: [.input("x", rows, 2 * c, reach: 3)], forward: .init(8, of: 9),
    gradient: .init(8, of: 9), build: { g, v in try g.geglu(v["x"]) },
    evaluate: { n in
      (0..<rows * c).map { i in
        let (row, channel) = (i / c, i % c)
        return n["x"][row * 2 * c + channel] * Scalar.gelu(n["x"][row * 2 * c + c + channel])
      }
    })
}

/// The residual is below 3, its square below 9; sums run in double and round at the end.
private func squaredError(rows: Int, c: Int) -> OperatorCase {
  let count = Double(rows * c)
  return OperatorCase(
    name: "squared error",
    operands: [
      .input("o", rows, c), .input("scale", 1, center: 1), .input("base", rows, c),
      .input("weight", 1, center: 1),
    ],
    forward: .init(6, of: 18 * count), gradient: .init(6, of: 18 * count),
    build: { g, v in
      try g.squaredError(of: v["o"], scale: v["scale"], base: v["base"], weight: v["weight"]).loss
    },
    evaluate: { n in
      let residual = zip(n["o"], n["base"]).map { n["scale"][0] * $0 + $1 }
      return [n["weight"][0] * residual.reduce(0) { $0 + $1 * $1 }]
    })
}
