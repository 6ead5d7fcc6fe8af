import Kernels
import Tensors

/// Linear layer on bytes: rows of x are quantized as they come, the weight once and for all.
///
///     y[n] = b[n] + scale[n]·s·Σ_k q[k]·W[n, k],  x ≈ s·q,  s = max|x|/127 over one row
///
/// With a rotation, x stands for H·x in this formula, and the weight was stored as W·H. With 16 bits for x, the sum is
/// that of two such products, x ≈ s·(q + r/254): twice the work, half of what floats take.
///
/// inputs   x `[…, K]`, weight s8 panels `[N, K]` or `[N, 1, 1, K]`, scales `[N]`, bias `[N]` (may be left out)
/// outputs  y `[…, N]`, or `[…, N/2]` behind a gate
struct Int8Linear: Op {
  /// Width of the groups of channels that are rotated.
  var rotation: Int?
  var activations = ActivationBits.eight
  var fusion = LayerFusion.none
  /// Whether the result is what GEGLU makes of y, which then exists nowhere; nothing can be added to it, and it has no
  /// gradient.
  var isGated = false

  /// Whether so many outputs can be gated: both halves begin with a panel.
  static func canGate(outputs: Int) -> Bool { outputs % 32 == 0 }

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let (own, fused) = fusion.split(inputs)
    let (x, weight) = (own[0], own[1])
    let y = TensorType(x.shape.dropLast() + [isGated ? weight.shape[0] / 2 : weight.shape[0]])
    guard isInt8Weight(weight, scales: own[2], dimensions: weight.isOneByOne ? 4 : 2, rotation),
      x.shape.last == weight.shape.last, own.count == 3 || own[3].shape == [weight.shape[0]],
      fusion.enlargement == 1, !isGated || Self.canGate(outputs: weight.shape[0]) && !fusion.hasEpilogue,
      fusion.fits(fused, x: x, y: y)
    else { throw misfit(inputs) }
    return [y]
  }

  func overwritten(of inputs: Int) -> Int? { fusion.overwritten(of: inputs) }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    let (x, weight) = (inputs[0].rows, inputs[1])
    let bands = ConvolutionBand.bands(ofRows: x)
    func bytes(_ band: ConvolutionBand) -> Int {
      int8LinearScratchBytes(
        x: x.lines(band.lines.count), weight: weight, planes: activations.planes,
        epilogue: fusion.hasEpilogue, isGated: isGated, threads: threads)
    }
    return activations == .sixteen
      ? WideRows.scratchBytes(bands, of: x, threads: threads, andThen: bytes)
      : Int8Rows.scratchBytes(bands, of: x, threads: threads, andThen: bytes)
  }

  func run(_ io: borrowing OpIO) {
    let (own, fused) = fusion.split(io.inputs)
    let (x, y, weight, pool) = (own[0].rows, io[out: 0].rows, io.int8Weight, io.pool)
    let (bias, epilogue) = (own.count > 3 ? own[3] : nil, fusion.epilogue(fused).rows)
    let (bands, prologue, scratch) = (
      ConvolutionBand.bands(ofRows: x.type), fusion.prologue(fused), io.scratch
    )
    func product(_ band: ConvolutionBand, _ rows: Int8Rows, _ scratch: UnsafeMutableRawPointer) {
      linear(
        rows.lines(0..<band.lines.count), weight: weight, bias: bias, epilogue.lines(band.output),
        isGated: isGated, into: y.lines(band.output), scratch: scratch, pool)
    }
    switch activations {
    case .eight:
      Int8Rows.forEachBand(bands, of: x, prologue, rotation, scratch: scratch, pool, product: product)
    case .sixteen:
      WideRows.forEachBand(bands, of: x, prologue, rotation, scratch: scratch, pool) {
        product($0, $1.rows, $2)
      }
    }
  }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    precondition(!isGated, "FeedForwardLayer alone has a gate inside, and no gradient")
    return try byteLayerVJP(self, fusion, node, dOut[0]!, wanted, g) { shape -> any Op in
      guard g.type(node.inputs[1]).isOneByOne else { return Int8LinearDX(rotation: rotation) }
      return Int8ConvolutionDX(
        geometry: ConvolutionGeometry(padding: 0), inputShape: shape, rotation: rotation)
    }
  }

  func multiplyAdds(_ inputs: [TensorType]) -> Int { inputs[0].count * inputs[1].shape[0] }
}

/// Rows of 16 bits.
private struct WideRows: BandBuffer {
  let rows: Int8Rows

  static func byteCount(_ lines: TensorType) -> Int { Int8Rows.byteCount(lines, planes: 2) }

  init(_ lines: TensorType, at address: UnsafeMutableRawPointer) {
    rows = Int8Rows(lines, planes: 2, at: address)
  }

  func fill(
    from first: Int, _ x: TensorRef, _ prologue: Prologue, _ rotation: Int?,
    scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
  ) { rows.fill(from: first, x, prologue, rotation, scratch: scratch, pool) }

  func keep(_ count: Int, from first: Int) { rows.keep(count, from: first) }
}

/// dx = dy·W with the weight that the forward pass multiplied by, W = scale·q. dy stays in floats and the
/// rounding of x counts as none. A rotation is undone by itself at the end: dx = H·(dy·(W·H)).
///
/// inputs   dy `[…, N]`, weight s8 panels `[N, K]`, scales `[N]`
/// outputs  dx `[…, K]`
struct Int8LinearDX: Op {
  var rotation: Int?

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let (dy, weight) = (inputs[0], inputs[1])
    guard isInt8Weight(weight, scales: inputs[2], dimensions: 2, rotation), dy.shape.last == weight.shape[0]
    else {
      throw misfit(inputs)
    }
    return [TensorType(dy.shape.dropLast() + [weight.shape[1]])]
  }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    linearDXScratchBytes(dy: inputs[0], weight: inputs[1], threads: threads)
  }

  func run(_ io: borrowing OpIO) {
    linearDX(io[in: 0], weight: io.int8Weight, into: io[out: 0], scratch: io.scratch, io.pool)
    if let rotation { rotateRows(io[out: 0], width: rotation, io.pool) }
  }

  func multiplyAdds(_ inputs: [TensorType]) -> Int { inputs[0].count * inputs[1].shape[1] }
}

/// The rule of a layer on bytes: no gradient to weight, scales and bias; `dx` is the operator for the layer's input.
func byteLayerVJP(
  _ layer: some Op, _ fusion: LayerFusion, _ node: Node, _ dy: Value, _ wanted: [Bool], _ g: Scope,
  dx: (_ shape: [Int]) -> any Op
) throws(GraphError) -> [Value?] {
  try fusion.vjp(node, dOut: dy, wanted: wanted, g) {
    (shape, _, dy, wanted) throws(GraphError) -> [Value?] in
    guard !wanted.dropFirst().contains(true) else {
      throw .notDifferentiable(op: "\(type(of: layer))", input: "weight, scales or bias")
    }
    let gradient = wanted[0] ? try g.emit(dx(shape), [dy, node.inputs[1], node.inputs[2]])[0] : nil
    return [gradient] + wanted.dropFirst().map { _ in nil }
  }
}

extension OpIO {
  /// Inputs 1 and 2 of the int8 operators.
  var int8Weight: Int8Weight { Int8Weight(panels: self[in: 1], scales: self[in: 2]) }
}

/// Whether a value and its scales are what the int8 operators multiply by, and whether its input can be rotated so.
func isInt8Weight(_ weight: TensorType, scales: TensorType, dimensions: Int, _ rotation: Int?) -> Bool {
  weight.element == .s8 && weight.layout == .panels && weight.shape.count == dimensions
    && scales == TensorType([weight.shape[0]])
    && rotation.map { canRotate(channels: weight.shape.last!, width: $0) } != false
}

extension TensorType {
  /// Of a weight: whether it is that of a convolution that multiplies every pixel by itself.
  var isOneByOne: Bool { shape.count == 4 && shape[1] == 1 && shape[2] == 1 }
}

extension ActivationBits {
  /// Bytes that stand for a value.
  var planes: Int { rawValue / 8 }
}

extension Scope {
  /// The inputs after x: `name`, its scales, which the checkpoint has under `name.scale`, and the bias.
  func int8Weight(_ name: String, _ shape: [Int], _ role: WeightRole, bias: Bool = true) -> [Value] {
    let weight = [weight(name, shape, role), weight("\(name).scale", [shape[0]], .vector)]
    return bias ? weight + [self.weight("bias", [shape[0]], .vector)] : weight
  }

  func byteLinear(
    _ x: Value, _ fused: [Value], to outputs: Int, _ fusion: LayerFusion, bias: Bool
  ) throws(GraphError) -> Value {
    let inputs = [x] + int8Weight("weight", [outputs, channels(x)], .matrix, bias: bias) + fused
    let format = format("weight")
    return try builder.lowering.keepsFloats
      ? emit(DequantizedLinear(rotation: format.rotation, fusion: fusion), inputs)[0]
      : emit(
        Int8Linear(rotation: format.rotation, activations: format.activations, fusion: fusion), inputs)[0]
  }
}
