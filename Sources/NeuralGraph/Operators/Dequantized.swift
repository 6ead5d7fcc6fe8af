import Kernels
import Tensors

/// Linear layer of floats by a weight that is stored as bytes: what the backward pass is the gradient of.
///
///     y = x·Wᵀ + b,  W[n, k] = scale[n]·q[n, k]
///
/// With a rotation, x stands for H·x in this formula, and the weight was stored as W·H.
///
/// inputs   x `[…, K]`, weight s8 panels `[N, K]`, scales `[N]`, bias `[N]` (may be left out)
/// outputs  y `[…, N]`
struct DequantizedLinear: Op {
  /// Width of the groups of channels that are rotated.
  var rotation: Int?

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    try Int8Linear(rotation: rotation).outputTypes(inputs)
  }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    let x = inputs[0].rows
    guard rotation != nil else { return linearScratchBytes(x: x, weight: inputs[1], threads: threads) }
    return bands(of: x).map { band in
      let rows = TensorType([band.count, x.shape[1]])
      return rows.alignedByteCount + linearScratchBytes(x: rows, weight: inputs[1], threads: threads)
    }.max() ?? 0
  }

  func run(_ io: borrowing OpIO) {
    let (x, y) = (io[in: 0].rows, io[out: 0].rows)
    guard let rotation else {
      return linear(
        x, weight: io.int8Weight, bias: io[optional: 3], into: y, scratch: io.scratch, io.pool)
    }
    for band in bands(of: x.type) {
      let rotated = io.rotated(x.lines(band), rotation)
      linear(
        rotated.rows, weight: io.int8Weight, bias: io[optional: 3], into: y.lines(band),
        scratch: rotated.scratch, io.pool)
    }
  }

  /// Rows that are rotated at a time, a multiple of those that share a dequantized block (`PanelProduct`).
  private func bands(of x: TensorType) -> [Range<Int>] {
    let step = max(1, ConvolutionBand.byteCount / (4 * x.shape[1]) / 384) * 384
    return stride(from: 0, to: x.shape[0], by: step).map { $0..<min($0 + step, x.shape[0]) }
  }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    try byteLayerVJP(self, Int8LinearDX(rotation: rotation), node, dOut[0]!, wanted, g)
  }

  func multiplyAdds(_ inputs: [TensorType]) -> Int { inputs[0].count * inputs[1].shape[0] }
}

/// Convolution of floats by a weight that is stored as bytes: what the backward pass is the gradient of.
///
///     y[i, j, o] = b[o] + Σ_{ky, kx, c} W[o, ky, kx, c] · x[i·stride + ky − top, j·stride + kx − left, c],  W = scale·q
///
/// With a rotation, x stands for H·x in every pixel, and the weight was stored as W·H in every tap.
///
/// inputs   x `[H, W, C]`, weight s8 panels `[O, kh, kw, C]`, scales `[O]`, bias `[O]` (may be left out)
/// outputs  y `[H', W', O]`
struct DequantizedConvolution: Op {
  var geometry: ConvolutionGeometry
  /// Width of the groups of channels that are rotated.
  var rotation: Int?

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    try Int8Convolution(geometry: geometry, rotation: rotation).outputTypes(inputs)
  }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    let (x, weight) = (inputs[0], inputs[1])
    guard rotation != nil else {
      return convolutionScratchBytes(x: x, weight: weight, geometry, threads: threads)
    }
    return geometry.bands(of: x, weight.shape, bytesPerValue: 4).map { band in
      let lines = TensorType([band.lines.count] + x.shape.dropFirst())
      return lines.alignedByteCount
        + convolutionScratchBytes(x: lines, weight: weight, band.geometry, threads: threads)
    }.max() ?? 0
  }

  func run(_ io: borrowing OpIO) {
    let (x, y) = (io[in: 0], io[out: 0])
    guard let rotation else {
      return convolution(
        x, weight: io.int8Weight, bias: io[optional: 3], geometry, into: y, scratch: io.scratch, io.pool)
    }
    for band in geometry.bands(of: x.type, io[in: 1].type.shape, bytesPerValue: 4) {
      let rotated = io.rotated(x.lines(band.lines), rotation)
      convolution(
        rotated.rows, weight: io.int8Weight, bias: io[optional: 3], band.geometry,
        into: y.lines(band.output), scratch: rotated.scratch, io.pool)
    }
  }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    let dx = Int8ConvolutionDX(
      geometry: geometry, inputShape: g.shape(node.inputs[0]), rotation: rotation)
    return try byteLayerVJP(self, dx, node, dOut[0]!, wanted, g)
  }

  func multiplyAdds(_ inputs: [TensorType]) -> Int {
    Convolution(geometry: geometry).multiplyAdds(inputs)
  }
}

extension OpIO {
  /// H·x at the front of scratch, and the scratch behind it.
  fileprivate func rotated(_ x: TensorRef, _ width: Int) -> (
    rows: TensorRef, scratch: UnsafeMutableRawPointer
  ) {
    let rows = TensorRef(x.type, at: scratch)
    rotateRows(x, width: width, into: rows, pool)
    return (rows, scratch + x.type.alignedByteCount)
  }
}

extension TensorType {
  /// Rounded up to the alignment of tensors.
  fileprivate var alignedByteCount: Int { (byteCount + 63) / 64 * 64 }
}
