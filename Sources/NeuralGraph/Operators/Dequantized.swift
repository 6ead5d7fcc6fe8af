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
  var fusion = LayerFusion.none

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    try Int8Linear(rotation: rotation, fusion: fusion).outputTypes(inputs)
  }

  func overwritten(of inputs: Int) -> Int? { fusion.overwritten(of: inputs) }

  private var changesRows: Bool { rotation != nil || fusion.hasPrologue }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    let x = inputs[0].rows
    func bytes(_ x: TensorType) -> Int {
      linearScratchBytes(x: x, weight: inputs[1], epilogue: fusion.hasEpilogue, threads: threads)
    }
    guard changesRows else { return bytes(x) }
    return TensorRef.scratchBytes(ConvolutionBand.bands(ofRows: x), of: x, threads: threads) {
      bytes(x.lines($0.lines.count))
    }
  }

  func run(_ io: borrowing OpIO) {
    let (own, fused) = fusion.split(io.inputs)
    let (x, y, weight, pool) = (own[0].rows, io[out: 0].rows, io.int8Weight, io.pool)
    let (bias, epilogue) = (own.count > 3 ? own[3] : nil, fusion.epilogue(fused).rows)
    guard changesRows else {
      return linear(x, weight: weight, bias: bias, epilogue, into: y, scratch: io.scratch, pool)
    }
    TensorRef.forEachBand(
      ConvolutionBand.bands(ofRows: x.type), of: x, fusion.prologue(fused), rotation, scratch: io.scratch,
      pool
    ) { band, buffer, scratch in
      linear(
        buffer.lines(0..<band.lines.count), weight: weight, bias: bias, epilogue.lines(band.output),
        into: y.lines(band.output), scratch: scratch, pool)
    }
  }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    try byteLayerVJP(self, fusion, node, dOut[0]!, wanted, g) { _ in Int8LinearDX(rotation: rotation) }
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
  var fusion = LayerFusion.none

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    try Int8Convolution(geometry: geometry, rotation: rotation, fusion: fusion).outputTypes(inputs)
  }

  private var changesRows: Bool { rotation != nil || fusion.hasPrologue }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    guard !changesRows else { return bandScratchBytes(inputs, threads: threads) }
    return convolutionScratchBytes(
      x: inputs[0], weight: inputs[1], geometry, enlarged: Enlargement(by: fusion.enlargement),
      epilogue: fusion.hasEpilogue, threads: threads)
  }

  func run(_ io: borrowing OpIO) {
    guard !changesRows else { return runInBands(io) }
    let (own, fused) = fusion.split(io.inputs)
    convolution(
      own[0], weight: io.int8Weight, bias: own.count > 3 ? own[3] : nil, geometry,
      enlarged: Enlargement(by: fusion.enlargement), fusion.epilogue(fused), into: io[out: 0],
      scratch: io.scratch, io.pool)
  }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    try byteLayerVJP(self, fusion, node, dOut[0]!, wanted, g) {
      Int8ConvolutionDX(geometry: geometry, inputShape: $0, rotation: rotation)
    }
  }

  func multiplyAdds(_ inputs: [TensorType]) -> Int {
    Convolution(geometry: geometry, fusion: fusion).multiplyAdds(inputs)
  }
}
