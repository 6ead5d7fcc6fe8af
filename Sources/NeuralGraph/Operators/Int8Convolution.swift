import Kernels
import Tensors

/// Two-dimensional convolution on bytes: every pixel of x is quantized with a scale of its own, zeros outside.
///
///     y[i, j, o] = b[o] + scale[o]·Σ_{ky, kx} s[p]·Σ_c q[p, c]·W[o, ky, kx, c],  p = (i·stride + ky − top, …)
///
/// With a rotation, x stands for H·x in every pixel, and the weight was stored as W·H in every tap.
///
/// inputs   x `[H, W, C]`, weight s8 panels `[O, kh, kw, C]`, scales `[O]`, bias `[O]` (may be left out)
/// outputs  y `[H', W', O]`
struct Int8Convolution: Op {
  var geometry: ConvolutionGeometry
  /// Width of the groups of channels that are rotated.
  var rotation: Int?
  var fusion = LayerFusion.none

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard isInt8Weight(inputs[1], scales: inputs[2], dimensions: 4, rotation) else { throw misfit(inputs) }
    return try Convolution(geometry: geometry, fusion: fusion)
      .outputTypes([inputs[0], inputs[1]] + inputs.dropFirst(3))
  }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    bandScratchBytes(inputs, threads: threads)
  }

  func run(_ io: borrowing OpIO) { runInBands(io) }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    try byteLayerVJP(self, fusion, node, dOut[0]!, wanted, g) {
      Int8ConvolutionDX(geometry: geometry, inputShape: $0, rotation: rotation)
    }
  }

  func multiplyAdds(_ inputs: [TensorType]) -> Int {
    Convolution(geometry: geometry, fusion: fusion).multiplyAdds(inputs)
  }
}

/// dx[p] = Σ over the taps whose window covers pixel p of dy · W, with the weight that the forward pass
/// multiplied by, W = scale·q; on floats. A rotation is undone by itself at the end.
///
/// inputs   dy `[H', W', O]`, weight s8 panels `[O, kh, kw, C]`, scales `[O]`
/// outputs  dx `[H, W, C]`
struct Int8ConvolutionDX: Op {
  var geometry: ConvolutionGeometry
  /// `[H, W, C]`; the stride may have dropped pixels, so it does not follow from dy.
  var inputShape: [Int]
  var rotation: Int?

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard isInt8Weight(inputs[1], scales: inputs[2], dimensions: 4, rotation) else { throw misfit(inputs) }
    return try ConvolutionDX(geometry: geometry, inputShape: inputShape).outputTypes([inputs[0], inputs[1]])
  }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    convolutionDXScratchBytes(
      dy: inputs[0], weight: inputs[1], dx: TensorType(inputShape), geometry, threads: threads)
  }

  func run(_ io: borrowing OpIO) {
    convolutionDX(
      io[in: 0], weight: io.int8Weight, geometry, into: io[out: 0], scratch: io.scratch, io.pool)
    if let rotation { rotateRows(io[out: 0], width: rotation, io.pool) }
  }

  func multiplyAdds(_ inputs: [TensorType]) -> Int {
    inputs[0].shape[0] * inputs[0].shape[1] * inputs[1].count
  }
}

extension Scope {
  func byteConvolution(
    _ x: Value, _ fused: [Value], weight shape: [Int], _ geometry: ConvolutionGeometry,
    _ fusion: LayerFusion, bias: Bool
  ) throws(GraphError) -> Value {
    let inputs = [x] + int8Weight("weight", shape, .convolution, bias: bias) + fused
    let (format, rotation) = (format("weight"), format("weight").rotation)
    if builder.lowering.keepsFloats {
      return try emit(DequantizedConvolution(geometry: geometry, rotation: rotation, fusion: fusion), inputs)[
        0]
    }
    if format.activations == .sixteen, geometry == ConvolutionGeometry(padding: 0), fusion.enlargement == 1,
      type(inputs[1]).isOneByOne
    {
      // Every pixel by itself: a linear layer.
      return try emit(Int8Linear(rotation: rotation, activations: .sixteen, fusion: fusion), inputs)[0]
    }
    return try emit(Int8Convolution(geometry: geometry, rotation: rotation, fusion: fusion), inputs)[0]
  }
}
