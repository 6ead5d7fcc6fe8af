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

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard isInt8Weight(inputs[1], scales: inputs[2], dimensions: 4, rotation) else { throw misfit(inputs) }
    return try Convolution(geometry: geometry).outputTypes([inputs[0], inputs[1]] + inputs.dropFirst(3))
  }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    let (x, weight) = (inputs[0], inputs[1])
    return bands(of: x.shape, weight.shape).map { band in
      let lines = TensorType([band.lines.count] + x.shape.dropFirst())
      let product = int8ConvolutionScratchBytes(x: lines, weight: weight, band.geometry, threads: threads)
      return quantizedRowsBytes(lines, rotation, andThen: product, threads: threads)
    }.max() ?? 0
  }

  func run(_ io: borrowing OpIO) {
    let (x, y) = (io[in: 0], io[out: 0])
    for band in bands(of: x.type.shape, io[in: 1].type.shape) {
      let lines = io.quantized(x.lines(band.lines), rotation)
      convolution(
        lines.rows, weight: io.int8Weight, bias: io[optional: 3], band.geometry, into: y.lines(band.output),
        scratch: lines.scratch, io.pool)
    }
  }

  /// Some lines of the result, the lines of x that they are made of, and the convolution between the two.
  private struct Band {
    var output: Range<Int>
    var lines: Range<Int>
    var geometry: ConvolutionGeometry
  }

  /// About so many bytes of x are there at a time: a large picture is quantized in bands, which overlap by the lines
  /// that a kernel looks beyond its own. A band still has so many pixels that reading the weight again for each costs
  /// nothing beside them.
  static let bandBytes = 4 << 20

  private func bands(of x: [Int], _ weight: [Int]) -> [Band] {
    let (height, kernel) = (x[0], weight[1])
    let rows = geometry.outputSize(height: height, width: x[1], kernel: (kernel, weight[2])).height
    let step = max(1, Self.bandBytes / (x[1] * x[2]) / geometry.stride)
    return stride(from: 0, to: rows, by: step).map { first in
      let end = min(first + step, rows)
      let start = first * geometry.stride - geometry.top
      let lines = max(start, 0)..<min((end - 1) * geometry.stride - geometry.top + kernel, height)
      var part = geometry
      part.top = lines.lowerBound - start
      part.bottom = (end - first - 1) * geometry.stride + kernel - part.top - lines.count
      return Band(output: first..<end, lines: lines, geometry: part)
    }
  }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    guard !wanted.dropFirst().contains(true) else {
      throw .notDifferentiable(op: "Int8Convolution", input: "weight, scales or bias")
    }
    let dx = Int8ConvolutionDX(
      geometry: geometry, inputShape: g.shape(node.inputs[0]), rotation: rotation)
    let inputs = [dOut[0]!, node.inputs[1], node.inputs[2]]
    return [try g.emit(dx, inputs)[0]] + node.inputs.dropFirst().map { _ in nil }
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
      dy: inputs[0], weight: inputs[1], dx: TensorType(inputShape), threads: threads)
  }

  func run(_ io: borrowing OpIO) {
    convolutionDX(
      io[in: 0], weight: io.int8Weight, geometry, into: io[out: 0], scratch: io.scratch, io.pool)
    if let rotation { rotateRows(io[out: 0], width: rotation, io.pool) }
  }
}

extension Scope {
  func int8Convolution(
    _ x: Value, weight shape: [Int], _ geometry: ConvolutionGeometry, bias: Bool
  ) throws(GraphError) -> Value {
    let inputs = [x] + int8Weight("weight", shape, .convolution, bias: bias)
    return try emit(Int8Convolution(geometry: geometry, rotation: format("weight").rotation), inputs)[0]
  }
}

extension TensorRef {
  /// Lines of a picture `[H, W, C]`.
  fileprivate func lines(_ range: Range<Int>) -> TensorRef {
    let line = type.shape[1] * type.shape[2] * type.element.byteCount
    return TensorRef(
      TensorType([range.count] + type.shape.dropFirst()), at: address + range.lowerBound * line)
  }
}
