import NeuralGraph

/// Products with weights: linear layers, convolutions, and the side branches of both.
func layerCases(_ n: Sizes) -> [OperatorCase] {
  let half = ConvolutionGeometry(stride: 2, padding: 1)
  let lower = ConvolutionGeometry(stride: 2, top: 0, left: 0, bottom: 1, right: 1)
  return [
    linear("linear", rows: n(5, 4096), k: n(7, 320), to: n(19, 320)),
    linear("linear, wide", rows: n(3, 4096), k: n(33, 320), to: n(21, 2560), bias: false),
    linear("linear, deep", rows: n(2, 256), k: n(270, 5120), to: n(5, 1280)),
    linear("linear, rotated", rows: n(3, 1024), k: n(48, 2560), to: n(5, 640), storages: [.rotated(16)]),
    convolution("convolution 3×3", [n(5, 64), n(4, 64), n(3, 320)], to: n(17, 320)),
    convolution("convolution 3×3, narrow", [n(4, 16), n(3, 16), n(6, 1280)], to: n(5, 1280), bias: false),
    convolution("convolution 3×3, stride 2", [n(7, 64), n(6, 64), n(3, 320)], to: n(5, 320), half),
    convolution("convolution, below and right", [n(6, 64), n(5, 64), n(3, 320)], to: n(4, 320), lower),
    convolution(
      "convolution 1×1", [n(3, 64), n(4, 64), n(5, 640)], to: n(6, 320), kernel: 1,
      storages: [.trained, .halves, .floatsOnBytes, .bytes, .wide]),
    convolution(
      "convolution, rotated", [n(4, 32), n(5, 32), n(16, 640)], to: n(3, 640), storages: [.rotated(16)]),
    adaptedLinear(rows: n(5, 4096), k: n(7, 320), to: n(9, 320), rank: n(2, 16)),
    adaptedConvolution([n(5, 64), n(4, 64), n(3, 320)], to: n(5, 320), rank: n(2, 16)),
  ]
}

/// A chain of K products and its bias is off by 2(K + 1) roundings of terms of size 1; dx sums over the outputs, dW over
/// the rows.
private func bounds(k: Int, outputs: Int, rows: Int) -> (OperatorCase.Tolerance, OperatorCase.Tolerance) {
  let longest = max(outputs, rows)
  return (.init(2 * (k + 1), of: Double(k + 1)), .init(2 * longest, of: Double(longest)))
}

private func linear(
  _ name: String, rows: Int, k: Int, to outputs: Int, bias: Bool = true,
  storages: [Storage] = [.trained, .halves, .floatsOnBytes, .bytes, .wide]
) -> OperatorCase {
  let (forward, gradient) = bounds(k: k, outputs: outputs, rows: rows)
  return OperatorCase(
    name: name,
    operands: [.input("x", rows, k), .matrix("l.weight", outputs, k)]
      + (bias ? [.vector("l.bias", outputs)] : []),
    storages: storages, forward: forward, gradient: gradient,
    build: { g, v in try g["l"].linear(v["x"], to: outputs, bias: bias) },
    evaluate: { Scalar.linear($0["x"], $0["l.weight"], bias ? $0["l.bias"] : nil, k: k) })
}

private func convolution(
  _ name: String, _ x: [Int], to outputs: Int, _ geometry: ConvolutionGeometry? = nil, kernel: Int = 3,
  bias: Bool = true, storages: [Storage] = [.trained, .halves, .floatsOnBytes, .bytes]
) -> OperatorCase {
  let geometry = geometry ?? ConvolutionGeometry(padding: kernel / 2)
  let taps = kernel * kernel
  let (forward, gradient) = bounds(k: taps * x[2], outputs: taps * outputs, rows: x[0] * x[1])
  let shape = [outputs, x[2], kernel, kernel]
  return OperatorCase(
    name: name,
    operands: [.input("x", x[0], x[1], x[2]), .matrix("c.weight", outputs, x[2], kernel, kernel)]
      + (bias ? [.vector("c.bias", outputs)] : []),
    storages: storages, forward: forward, gradient: gradient,
    build: { g, v in try g["c"].conv(v["x"], to: outputs, kernel: kernel, geometry, bias: bias) },
    evaluate: { Scalar.convolution($0["x"], x, $0["c.weight"], shape, bias ? $0["c.bias"] : nil, geometry) })
}

/// y = W·x + b + s·c·B(A·x), s near 3/4.
private func adaptedLinear(rows: Int, k: Int, to outputs: Int, rank: Int) -> OperatorCase {
  let (forward, gradient) = bounds(k: k * rank, outputs: outputs * max(rank, k), rows: rows * outputs)
  return OperatorCase(
    name: "linear with a side branch",
    operands: [
      .input("x", rows, k), .matrix("l.weight", outputs, k), .vector("l.bias", outputs),
      .matrix("a.lora_A.weight", rank, k), .matrix("a.lora_B.weight", outputs, rank), adapterScale,
    ],
    storages: [.trained, .halves], adapters: ["l": [Adapter(path: "a", rank: rank, factor: 0.5)]],
    forward: forward, gradient: gradient,
    build: { g, v in try g["l"].linear(v["x"], to: outputs) },
    evaluate: { n in
      let inner = Scalar.linear(n["x"], n["a.lora_A.weight"], nil, k: k)
      let branch = Scalar.linear(inner, n["a.lora_B.weight"], nil, k: rank)
      let factor = 0.5 * n[Adapter.scaleName][0]
      return zip(Scalar.linear(n["x"], n["l.weight"], n["l.bias"], k: k), branch).map { $0 + factor * $1 }
    })
}

private func adaptedConvolution(_ x: [Int], to outputs: Int, rank: Int) -> OperatorCase {
  let geometry = ConvolutionGeometry(padding: 1)
  let (forward, gradient) = bounds(
    k: 9 * x[2] * rank, outputs: 9 * outputs * x[2], rows: x[0] * x[1] * outputs)
  return OperatorCase(
    name: "convolution with a side branch",
    operands: [
      .input("x", x[0], x[1], x[2]), .matrix("c.weight", outputs, x[2], 3, 3), .vector("c.bias", outputs),
      .matrix("a.lora_A.weight", rank, x[2], 3, 3), .matrix("a.lora_B.weight", outputs, rank), adapterScale,
    ],
    adapters: ["c": [Adapter(path: "a", rank: rank, factor: 0.5)]], forward: forward, gradient: gradient,
    build: { g, v in try g["c"].conv(v["x"], to: outputs, kernel: 3) },
    evaluate: { n in
      let inner = Scalar.convolution(
        n["x"], x, n["a.lora_A.weight"], [rank, x[2], 3, 3], nil, geometry)
      let branch = Scalar.linear(inner, n["a.lora_B.weight"], nil, k: rank)
      let factor = 0.5 * n[Adapter.scaleName][0]
      let y = Scalar.convolution(
        n["x"], x, n["c.weight"], [outputs, x[2], 3, 3], n["c.bias"], geometry)
      return zip(y, branch).map { $0 + factor * $1 }
    })
}

private let adapterScale = Operand.input(Adapter.scaleName, 1, center: 0.75, reach: 0.1)
