import NeuralGraph

/// Norms and attention: operators that keep something for their backward pass.
func normAndAttentionCases(_ n: Sizes) -> [OperatorCase] {
  [
    groupNorm(height: n(4, 64), width: n(3, 64), c: n(9, 320), groups: n(3, 32)),
    layerNorm(rows: n(4, 4096), c: n(17, 320)),
    attention("attention", queries: n(5, 4096), keys: n(7, 4096), c: n(8, 320), heads: n(2, 8)),
    attention("attention to words", queries: n(9, 4096), keys: n(3, 77), c: n(6, 320), heads: n(3, 8)),
    attention(
      "causal attention", queries: n(6, 77), keys: n(6, 77), c: n(6, 768, medium: 48), heads: n(2, 12),
      causal: true),
    byteAttention("attention on bytes", queries: n(5, 4096), keys: n(7, 4096), c: n(8, 320), heads: n(2, 8)),
    byteAttention(
      "attention on bytes to words", queries: n(9, 4096), keys: n(3, 77), c: n(6, 320), heads: n(3, 8)),
  ]
}

/// x̂ is below the root of the count; a dozen roundings of values of that size times γ and dy, which are below 2, and
/// 1/σ, below 3. The gradients of γ and β sum over the rows.
private func normBounds(count: Int, rows: Int) -> (OperatorCase.Tolerance, OperatorCase.Tolerance) {
  let largest = Double(count).squareRoot()
  return (.init(12, of: 2 * largest + 1), .init(12 + rows, of: 3 * 2 * largest * Double(max(rows, 4))))
}

private func groupNorm(height: Int, width: Int, c: Int, groups: Int) -> OperatorCase {
  let (forward, gradient) = normBounds(count: height * width * c / groups, rows: height * width)
  return OperatorCase(
    name: "group norm",
    operands: [
      .input("x", height, width, c, center: 0.5), .vector("n.weight", c, center: 1), .vector("n.bias", c),
    ],
    forward: forward, gradient: gradient,
    build: { g, v in try g["n"].groupNorm(v["x"], groups: groups) },
    evaluate: { n in
      Scalar.norm(n["x"], n["n.weight"], n["n.bias"], epsilon: 1e-5) { _, channel in channel / (c / groups) }
    })
}

private func layerNorm(rows: Int, c: Int) -> OperatorCase {
  let (forward, gradient) = normBounds(count: c, rows: rows)
  return OperatorCase(
    name: "layer norm",
    operands: [.input("x", rows, c, center: 0.5), .vector("n.weight", c, center: 1), .vector("n.bias", c)],
    forward: forward, gradient: gradient,
    build: { g, v in try g["n"].layerNorm(v["x"]) },
    evaluate: { n in Scalar.norm(n["x"], n["n.weight"], n["n.bias"], epsilon: 1e-5) { row, _ in row } })
}

/// Scores are sums over a head's channels, probabilities sum to one, every gradient is a sum over rows of products of
/// two such sums.
private func attention(
  _ name: String, queries: Int, keys: Int, c: Int, heads: Int, causal: Bool = false
) -> OperatorCase {
  let (size, rows) = (c / heads, max(queries, keys))
  return OperatorCase(
    name: name, operands: [.input("q", queries, c), .input("k", keys, c), .input("v", keys, c)],
    forward: .init(4 * (size + keys) + 16, of: Double(size)),
    gradient: .init(4 * (size + rows) + 32, of: 2 * Double(size * rows)),
    build: { g, v in try g.attention(v["q"], v["k"], v["v"], heads: heads, causal: causal) },
    evaluate: {
      Scalar.attention($0["q"], $0["k"], $0["v"], channels: c, heads: heads, causal: causal)
    })
}

/// A score is off by √d·127·(steps of query and key) and a little more, where a step is at most 1/127 of a query and 2/127
/// of a key whose mean was subtracted: probabilities by the exponential of twice that, values by half a step of 1/127.
/// The gradient is that of floats.
private func byteAttention(_ name: String, queries: Int, keys: Int, c: Int, heads: Int) -> OperatorCase {
  let score = 2.01 / 127 * Double(c / heads).squareRoot()
  // For scores below 1/2, e^2x − 1 < 2x·(1 + 2x).
  let error = 2 * score * (1 + 2 * score) + 0.6 / 127
  var attended = attention(name, queries: queries, keys: keys, c: c, heads: heads)
  attended.forward = .init(1, of: 0x1p24 * error)
  attended.build = { g, v in
    // Behind no layer at all, so that none has floats.
    try g.attention(v["q"], v["k"], v["v"], heads: heads, behind: [])
  }
  return attended
}
