import Kernels
import Tensors

/// Stride and padding, as network definitions give them.
package typealias ConvolutionGeometry = Kernels.ConvolutionGeometry

/// Two-dimensional convolution over a channels-last picture, zeros outside it.
///
///     y[i, j, o] = b[o] + Σ_{ky, kx, c} W[o, ky, kx, c] · x[i·stride + ky − top, j·stride + kx − left, c]
///
/// inputs   x `[H, W, C]`, weight panels `[O, kh, kw, C]`, bias `[O]` (may be left out)
/// outputs  y `[H', W', O]`,  H' = (H + top + bottom − kh)/stride + 1
struct Convolution: Op {
  var geometry: ConvolutionGeometry
  var fusion = LayerFusion.none

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let (own, fused) = fusion.split(inputs)
    guard own[1].layout == .panels, own.count == 2 || own[2].shape == [own[1].shape[0]],
      let y = geometry.outputType(own[0], own[1], enlargedBy: fusion.enlargement),
      fusion.fits(fused, x: own[0], y: y)
    else { throw misfit(inputs) }
    return [y]
  }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    guard !fusion.hasPrologue else { return bandScratchBytes(inputs, threads: threads) }
    return convolutionScratchBytes(
      x: inputs[0], weight: inputs[1], geometry, enlarged: Enlargement(by: fusion.enlargement),
      epilogue: fusion.hasEpilogue, threads: threads)
  }

  func run(_ io: borrowing OpIO) {
    guard !fusion.hasPrologue else { return runInBands(io) }
    let (own, fused) = fusion.split(io.inputs)
    convolution(
      own[0], weight: own[1], bias: own.count > 2 ? own[2] : nil, geometry,
      enlarged: Enlargement(by: fusion.enlargement), fusion.epilogue(fused), into: io[out: 0],
      scratch: io.scratch, io.pool)
  }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    let (weight, geometry) = (node.inputs[1], geometry)
    return try fusion.vjp(node, dOut: dOut[0]!, wanted: wanted, g) {
      (shape, x, dy, wanted) throws(GraphError) -> [Value?] in
      let dx =
        wanted[0]
        ? try g.emit(ConvolutionDX(geometry: geometry, inputShape: shape), [dy, weight])[0] : nil
      let dW =
        wanted[1]
        ? try g.emit(ConvolutionDW(geometry: geometry, weightShape: g.shape(weight)), [x!, dy])[0] : nil
      guard wanted.count > 2 else { return [dx, dW] }
      return [dx, dW, wanted[2] ? try g.emit(SumRows(), [dy])[0] : nil]
    }
  }

  func multiplyAdds(_ inputs: [TensorType]) -> Int {
    let y = geometry.outputType(inputs[0], inputs[1], enlargedBy: fusion.enlargement)!
    return y.shape[0] * y.shape[1] * inputs[1].count
  }
}

extension ConvolutionGeometry {
  /// The result for x `[H, W, C]`, every pixel of which stands for `factor`² of them, and a weight `[O, kh, kw, C]`;
  /// nil where they do not fit.
  func outputType(_ x: TensorType, _ weight: TensorType, enlargedBy factor: Int) -> TensorType? {
    let (x, weight) = (x.shape, weight.shape)
    guard weight.count == 4, x.count == 3, x[2] == weight[3] else { return nil }
    let height = (x[0] * factor + top + bottom - weight[1]) / stride + 1
    let width = (x[1] * factor + left + right - weight[2]) / stride + 1
    guard height > 0, width > 0 else { return nil }
    return TensorType([height, width, weight[0]])
  }
}

/// dx[p] = Σ over the taps whose window covers pixel p of dy · W, from the same panels as the forward pass.
///
/// inputs   dy `[H', W', O]`, weight panels `[O, kh, kw, C]`
/// outputs  dx `[H, W, C]`
struct ConvolutionDX: Op {
  var geometry: ConvolutionGeometry
  /// `[H, W, C]`; the stride may have dropped pixels, so it does not follow from dy.
  var inputShape: [Int]

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard inputs[1].layout == .panels, inputs[1].shape.count == 4, inputs[0].shape.count == 3,
      inputs[0].shape[2] == inputs[1].shape[0], inputs[1].shape[3] == inputShape[2]
    else { throw misfit(inputs) }
    return [TensorType(inputShape)]
  }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    convolutionDXScratchBytes(
      dy: inputs[0], weight: inputs[1], dx: TensorType(inputShape), geometry, threads: threads)
  }

  func run(_ io: borrowing OpIO) {
    convolutionDX(
      io[in: 0], weight: io[in: 1], geometry, into: io[out: 0], scratch: io.scratch, io.pool)
  }

  func multiplyAdds(_ inputs: [TensorType]) -> Int {
    inputs[0].shape[0] * inputs[0].shape[1] * inputs[1].count
  }
}

/// dW[o, ky, kx, c] = Σ over the pixels of dy of dy[i, j, o]·x[i·stride + ky − top, j·stride + kx − left, c], plain.
///
/// inputs   x `[H, W, C]`, dy `[H', W', O]`
/// outputs  dW `[O, kh, kw, C]`
struct ConvolutionDW: Op {
  var geometry: ConvolutionGeometry
  /// `[O, kh, kw, C]`
  var weightShape: [Int]

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let (x, dy) = (inputs[0].shape, inputs[1].shape)
    guard x.count == 3, dy.count == 3, dy[2] == weightShape[0], x[2] == weightShape[3] else {
      throw misfit(inputs)
    }
    return [TensorType(weightShape)]
  }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    convolutionDWScratchBytes(x: inputs[0], dy: inputs[1], dW: TensorType(weightShape), threads: threads)
  }

  func run(_ io: borrowing OpIO) {
    convolutionDW(io[in: 0], dy: io[in: 1], geometry, into: io[out: 0], scratch: io.scratch, io.pool)
  }

  func multiplyAdds(_ inputs: [TensorType]) -> Int {
    inputs[1].shape[0] * inputs[1].shape[1] * weightShape.reduce(1, *)
  }
}

extension Scope {
  /// `weight` and `bias` of this scope as a convolution that keeps the size (odd kernel, stride 1) or halves
  /// it (stride 2).
  package func conv(
    _ x: Value, to outputs: Int, kernel: Int, stride: Int = 1, bias: Bool = true
  ) throws(GraphError) -> Value {
    try conv(LayerInput(x), to: outputs, kernel: kernel, .keeping(kernel, stride: stride), bias: bias)
  }

  /// The same with what comes before it and after it: `residual` + (convolution of `input` + `adding`).
  ///
  /// - Parameters:
  ///   - channels: `[1, outputs]`, added to every pixel.
  ///   - residual: of the result's shape.
  package func conv(
    _ input: LayerInput, to outputs: Int, kernel: Int, bias: Bool = true, adding channels: Value? = nil,
    residual: Value? = nil
  ) throws(GraphError) -> Value {
    try conv(
      input, to: outputs, kernel: kernel, .keeping(kernel, stride: 1), bias: bias, adding: channels,
      residual: residual)
  }

  package func conv(
    _ x: Value, to outputs: Int, kernel: Int, _ geometry: ConvolutionGeometry, bias: Bool = true
  ) throws(GraphError) -> Value {
    try conv(LayerInput(x), to: outputs, kernel: kernel, geometry, bias: bias)
  }

  package func conv(
    _ input: LayerInput, to outputs: Int, kernel: Int, _ geometry: ConvolutionGeometry, bias: Bool = true,
    adding vector: Value? = nil, residual: Value? = nil
  ) throws(GraphError) -> Value {
    let shape = [outputs, channels(input.x), kernel, kernel]
    guard builder.lowering.fuses, !isAdapted else {
      // Side branches read the same picture.
      let x = try plain(input)
      let isLinear = kernel == 1 && geometry == ConvolutionGeometry(padding: 0)
      var y = try convolution(x, [], weight: shape, geometry, .none, bias: bias)
      y = try adapted(y, from: x, convolution: isLinear ? nil : (kernel, geometry))
      if let vector { y = try addChannels(y, vector) }
      return try residual.map { (value) throws(GraphError) in try add(value, y) } ?? y
    }
    let (fusion, fused) = try fusion(input, channels: vector, residual: residual)
    return try convolution(input.x, fused, weight: shape, geometry, fusion, bias: bias)
  }

  private func convolution(
    _ x: Value, _ fused: [Value], weight shape: [Int], _ geometry: ConvolutionGeometry,
    _ fusion: LayerFusion, bias: Bool
  ) throws(GraphError) -> Value {
    guard format("weight").element != .s8 else {
      return try byteConvolution(x, fused, weight: shape, geometry, fusion, bias: bias)
    }
    var inputs = [x, weight("weight", shape, .convolution)]
    if bias { inputs.append(weight("bias", [shape[0]], .vector)) }
    return try emit(Convolution(geometry: geometry, fusion: fusion), inputs + fused)[0]
  }
}

extension ConvolutionGeometry {
  /// Of an odd kernel: keeps the size at stride 1, halves it at stride 2.
  fileprivate static func keeping(_ kernel: Int, stride: Int) -> ConvolutionGeometry {
    let pad = kernel / 2
    return ConvolutionGeometry(stride: stride, top: pad, left: pad, bottom: pad, right: pad)
  }
}
