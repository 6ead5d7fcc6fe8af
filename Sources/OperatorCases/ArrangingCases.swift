import NeuralGraph

/// Operators that move values: exact forward, and backward sums of few terms.
func arrangingCases(_ n: Sizes) -> [OperatorCase] {
  let (side, c) = (n(3, 64), n(5, 320))
  return [
    concatenation(rows: side * 2, [c, n(4, 640)]),
    slice(rows: side, c: c),
    slices(rows: side, c: c),
    padding(rows: side, c: c),
    upsampling("upsampling", [n(3, 32), n(4, 32), n(5, 640)], height: n(6, 64), width: n(8, 64)),
    upsampling(
      "upsampling to an odd size", [n(3, 32), n(4, 32), n(5, 640)], height: n(5, 63), width: n(7, 63)),
    embedding(entries: n(6, 49_408), c: n(3, 768), ids: n(5, 77)),
  ]
}

private func concatenation(rows: Int, _ c: [Int]) -> OperatorCase {
  arranging("concatenation", [.input("a", rows, 1, c[0]), .input("b", rows, 1, c[1])]) { g, v in
    try g.concatenate(v["a"], v["b"])
  } evaluate: { n in
    byRows(rows) { n.row("a", $0) + n.row("b", $0) }
  }
}

private func slice(rows: Int, c: Int) -> OperatorCase {
  arranging("slice", [.input("x", rows, c)]) { g, v in
    try g.slice(v["x"], 1..<c - 1)
  } evaluate: { n in
    byRows(rows) { Array(n.row("x", $0)[1..<c - 1]) }
  }
}

private func slices(rows: Int, c: Int) -> OperatorCase {
  arranging("slices that overlap, side by side", [.input("x", rows, c)]) { g, v in
    try g.concatenate(g.slice(v["x"], 2..<c), g.slice(v["x"], 0..<3))
  } evaluate: { n in
    byRows(rows) { Array(n.row("x", $0)[2..<c]) + Array(n.row("x", $0)[0..<3]) }
  }
}

private func padding(rows: Int, c: Int) -> OperatorCase {
  arranging("padding", [.input("x", rows, c)]) { g, v in
    try g.pad(v["x"], at: 2, to: c + 3)
  } evaluate: { n in
    byRows(rows) { row in
      var padded: [Double] = [0, 0]
      padded += n.row("x", row)
      padded.append(0)
      return padded
    }
  }
}

private func byRows(_ rows: Int, _ row: (Int) -> [Double]) -> [Double] {
  var y: [Double] = []
  for r in 0..<rows { y += row(r) }
  return y
}

extension Numbers {
  /// One row of a tensor read as rows of its last dimension.
  fileprivate func row(_ name: String, _ index: Int) -> [Double] {
    let c = columns(name)
    return Array(self[name][index * c..<(index + 1) * c])
  }
}

private func arranging(
  _ name: String, _ operands: [Operand], _ build: @escaping @Sendable (Scope, Operands) throws -> Value,
  evaluate: @escaping @Sendable (Numbers) -> [Double]
) -> OperatorCase {
  // At most four terms of size 1 meet in a gradient.
  OperatorCase(
    name: name, operands: operands, forward: .init(0, of: 1), gradient: .init(4, of: 4), build: build,
    evaluate: evaluate)
}

private func upsampling(_ name: String, _ shape: [Int], height: Int, width: Int) -> OperatorCase {
  arranging(name, [.input("x", shape[0], shape[1], shape[2])]) { g, v in
    try g.upsampleNearest(v["x"], height: height, width: width)
  } evaluate: {
    Scalar.upsample($0["x"], shape, height: height, width: width)
  }
}

private func embedding(entries: Int, c: Int, ids: Int) -> OperatorCase {
  let indices = Operand(
    name: "ids", shape: [ids], role: .indices(below: entries - 1), isRefusedBecause: "indices are no numbers")
  return arranging(
    "embedding", [Operand(name: "e.weight", shape: [entries, c], role: .weight(.table)), indices]
  ) { g, v in
    try g["e"].embedding(v["ids"], entries: entries, width: c)
  } evaluate: { n in
    byRows(ids) { n.row("e.weight", Int(n["ids"][$0])) }
  }
}
