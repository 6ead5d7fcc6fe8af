import NeuralGraph
import Tensors

/// Layers with what they compute beside their products: norm, activation, enlargement, added channels and residual.
func fusedCases(_ n: Sizes) -> [OperatorCase] {
  [
    residualConvolution([n(5, 64), n(4, 64), n(6, 320)], to: n(5, 320), groups: n(3, 32)),
    enlargedConvolution([n(4, 32), n(3, 32), n(3, 640)], to: n(5, 640)),
    normedProjection([n(4, 64), n(3, 64), n(16, 320)], to: n(5, 320), groups: n(4, 32)),
    addedLinear(rows: n(5, 4096), k: n(7, 320), to: n(9, 320)),
    feedForward(rows: n(13, 4096), c: n(16, 320), width: n(32, 1280)),
  ]
}

/// Terms of a product are below 3 in size, since x̂ is below √count and γ below 2; each is a dozen roundings off. What goes
/// back through a norm is a sum over a group.
private func bounds(k: Int, outputs: Int, count: Int) -> (OperatorCase.Tolerance, OperatorCase.Tolerance) {
  let largest = 2 * Double(count).squareRoot() + 1
  return (
    .init(2 * (k + 12), of: largest * Double(k + 3)),
    .init(2 * (outputs + k + 24), of: 6 * largest * Double(outputs * count))
  )
}

/// y = residual + (conv(silu(norm(x))) + channels)
private func residualConvolution(_ x: [Int], to outputs: Int, groups: Int) -> OperatorCase {
  let geometry = ConvolutionGeometry(padding: 1)
  let (c, size) = (x[2], x[2] / groups)
  let (forward, gradient) = bounds(k: 9 * c, outputs: 9 * outputs, count: x[0] * x[1] * size)
  return OperatorCase(
    name: "convolution behind norm and SiLU, with channels and residual",
    operands: [
      .input("x", x[0], x[1], c, center: 0.5), .matrix("c.weight", outputs, c, 3, 3),
      .vector("c.bias", outputs),
      .vector("n.weight", c, center: 1), .vector("n.bias", c), .input("t", 1, outputs),
      .input("r", x[0], x[1], outputs),
    ],
    storages: [.trained, .halves, .floatsOnBytes], forward: forward, gradient: gradient,
    build: { g, v in
      try g["c"].conv(
        g["n"].normalized(v["x"], groups: groups).activated(), to: outputs, kernel: 3, adding: v["t"],
        residual: v["r"])
    },
    evaluate: { n in
      let normal = Scalar.norm(n["x"], n["n.weight"], n["n.bias"], epsilon: 1e-5) { $1 / size }
      let y = Scalar.convolution(
        normal.map { $0 * Scalar.sigmoid($0) }, x, n["c.weight"], [outputs, c, 3, 3], n["c.bias"], geometry)
      return y.indices.map { n["r"][$0] + y[$0] + n["t"][$0 % outputs] }
    })
}

/// y = conv(x, every pixel four times)
private func enlargedConvolution(_ x: [Int], to outputs: Int) -> OperatorCase {
  let geometry = ConvolutionGeometry(padding: 1)
  let (forward, gradient) = bounds(k: 9 * x[2], outputs: 36 * outputs, count: 1)
  return OperatorCase(
    name: "convolution of an enlarged picture",
    operands: [
      .input("x", x[0], x[1], x[2]), .matrix("c.weight", outputs, x[2], 3, 3), .vector("c.bias", outputs),
    ],
    storages: [.trained, .halves, .floatsOnBytes], forward: forward, gradient: gradient,
    build: { g, v in
      try g["c"].conv(
        g.enlarged(v["x"], height: 2 * x[0], width: 2 * x[1]), to: outputs, kernel: 3)
    },
    evaluate: { n in
      let large = Scalar.upsample(n["x"], x, height: 2 * x[0], width: 2 * x[1])
      return Scalar.convolution(
        large, [2 * x[0], 2 * x[1], x[2]], n["c.weight"], [outputs, x[2], 3, 3], n["c.bias"], geometry)
    })
}

/// y = W·norm(x) + b, by the statistics of a picture.
private func normedProjection(_ x: [Int], to outputs: Int, groups: Int) -> OperatorCase {
  let (c, size) = (x[2], x[2] / groups)
  let (forward, gradient) = bounds(k: c, outputs: outputs, count: x[0] * x[1] * size)
  return OperatorCase(
    name: "linear behind group norm",
    operands: [
      .input("x", x[0], x[1], c, center: 0.5), .matrix("l.weight", outputs, c), .vector("l.bias", outputs),
      .vector("n.weight", c, center: 1), .vector("n.bias", c),
    ],
    storages: [.trained, .halves, .floatsOnBytes, .rotated(16)], forward: forward, gradient: gradient,
    build: { g, v in try g["l"].linear(g["n"].normalized(v["x"], groups: groups), to: outputs) },
    evaluate: { n in
      let normal = Scalar.norm(n["x"], n["n.weight"], n["n.bias"], epsilon: 1e-5) { $1 / size }
      return Scalar.linear(normal, n["l.weight"], n["l.bias"], k: c)
    })
}

/// y = residual + (W·x + b)
private func addedLinear(rows: Int, k: Int, to outputs: Int) -> OperatorCase {
  let (forward, gradient) = bounds(k: k, outputs: outputs, count: rows)
  return OperatorCase(
    name: "linear with a residual",
    operands: [
      .input("x", rows, k), .matrix("l.weight", outputs, k), .vector("l.bias", outputs),
      .input("r", rows, outputs),
    ],
    storages: [.trained, .halves, .floatsOnBytes, .bytes, .wide], forward: forward, gradient: gradient,
    build: { g, v in try g["l"].linear(LayerInput(v["x"]), to: outputs, residual: v["r"]) },
    evaluate: { n in
      let y = Scalar.linear(n["x"], n["l.weight"], n["l.bias"], k: k)
      return zip(n["r"], y).map { $0 + $1 }
    })
}

/// y = x + (W₂·geglu(W₁·norm(x) + b₁) + b₂). Gradients by its weights come from the operators that it stands for.
///
/// With γ below 2 and weights below ¼: the inner layer's results are below `wide`, those behind the gate below its square.
private func feedForward(rows: Int, c: Int, width: Int) -> OperatorCase {
  let wide = (2 * Double(c).squareRoot() + 1) * Double(c) / 4 + 1
  // Back through both layers and the gate, whose slope is below 1.2·wide, and through a norm that divides by 0.3 or more.
  let inner = Double(c) / 4 * 1.2 * wide * Double(2 * width) / 4
  return OperatorCase(
    name: "feed-forward layer",
    operands: [
      .input("x", rows, c, center: 0.5), .vector("n.weight", c, center: 1), .vector("n.bias", c),
      .matrix("f.net.0.proj.weight", 2 * width, c).scaled(to: 0.25), .vector("f.net.0.proj.bias", 2 * width),
      .matrix("f.net.2.weight", c, width).scaled(to: 0.25), .vector("f.net.2.bias", c),
    ],
    storages: [.trained, .halves, .floatsOnBytes, .rotated(16)],
    forward: .init(2 * (c + width + 40), of: wide * wide * Double(width) / 4),
    gradient: .init(2 * (2 * c + 3 * width + 60), of: 20 * inner),
    build: { g, v in try g["f"].feedForward(v["x"], norm: g["n"], width: width) },
    evaluate: { n in
      let normal = Scalar.norm(n["x"], n["n.weight"], n["n.bias"], epsilon: 1e-5) { row, _ in row }
      let h = Scalar.linear(normal, n["f.net.0.proj.weight"], n["f.net.0.proj.bias"], k: c)
      let gated = (0..<h.count / 2).map { i in
        let first = i / width * 2 * width + i % width
        return h[first] * Scalar.gelu(h[first + width])
      }
      let y = Scalar.linear(gated, n["f.net.2.weight"], n["f.net.2.bias"], k: width)
      return zip(n["x"], y).map { $0 + $1 }
    })
}
