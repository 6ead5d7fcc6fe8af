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

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let (x, weight) = (inputs[0].shape, inputs[1].shape)
    guard inputs[1].layout == .panels, weight.count == 4, x.count == 3, x[2] == weight[3],
      inputs.count == 2 || inputs[2].shape == [weight[0]]
    else { throw misfit(inputs) }
    let height = (x[0] + geometry.top + geometry.bottom - weight[1]) / geometry.stride + 1
    let width = (x[1] + geometry.left + geometry.right - weight[2]) / geometry.stride + 1
    guard height > 0, width > 0 else { throw misfit(inputs) }
    return [TensorType([height, width, weight[0]])]
  }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    convolutionScratchBytes(x: inputs[0], weight: inputs[1], geometry, threads: threads)
  }

  func run(_ io: borrowing OpIO) {
    convolution(
      io[in: 0], weight: io[in: 1], bias: io[optional: 2], geometry, into: io[out: 0], scratch: io.scratch,
      io.pool)
  }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    let (x, weight, dy) = (node.inputs[0], node.inputs[1], dOut[0]!)
    let dx =
      wanted[0]
      ? try g.emit(ConvolutionDX(geometry: geometry, inputShape: g.shape(x)), [dy, weight])[0] : nil
    let dW =
      wanted[1]
      ? try g.emit(ConvolutionDW(geometry: geometry, weightShape: g.shape(weight)), [x, dy])[0] : nil
    guard wanted.count > 2 else { return [dx, dW] }
    return [dx, dW, wanted[2] ? try g.emit(SumRows(), [dy])[0] : nil]
  }

  func multiplyAdds(_ inputs: [TensorType]) -> Int {
    let size = geometry.outputSize(
      height: inputs[0].shape[0], width: inputs[0].shape[1],
      kernel: (inputs[1].shape[1], inputs[1].shape[2]))
    return size.height * size.width * inputs[1].count
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
    let pad = kernel / 2
    return try conv(
      x, to: outputs, kernel: kernel,
      ConvolutionGeometry(stride: stride, top: pad, left: pad, bottom: pad, right: pad), bias: bias)
  }

  package func conv(
    _ x: Value, to outputs: Int, kernel: Int, _ geometry: ConvolutionGeometry, bias: Bool = true
  ) throws(GraphError) -> Value {
    let shape = [outputs, channels(x), kernel, kernel]
    let y: Value
    if format("weight").element == .s8 {
      y = try byteConvolution(x, weight: shape, geometry, bias: bias)
    } else {
      var inputs = [x, weight("weight", shape, .convolution)]
      if bias { inputs.append(weight("bias", [outputs], .vector)) }
      y = try emit(Convolution(geometry: geometry), inputs)[0]
    }
    let isLinear = kernel == 1 && geometry == ConvolutionGeometry(padding: 0)
    return try adapted(y, from: x, convolution: isLinear ? nil : (kernel, geometry))
  }
}
