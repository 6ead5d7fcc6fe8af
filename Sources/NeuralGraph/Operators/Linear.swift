import Kernels
import Tensors

/// Linear layer over the last dimension.
///
///     y = x·Wᵀ + b
///
/// inputs   x `[…, K]`, weight panels `[N, K]`, bias `[N]` (may be left out)
/// outputs  y `[…, N]`
struct Linear: Op {
  var fusion = LayerFusion.none

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let (own, fused) = fusion.split(inputs)
    let (x, weight) = (own[0], own[1])
    let y = TensorType(x.shape.dropLast() + [weight.shape[0]])
    guard weight.layout == .panels, weight.shape.count == 2, x.shape.last == weight.shape[1],
      own.count == 2 || own[2].shape == [weight.shape[0]], fusion.enlargement == 1,
      fusion.fits(fused, x: x, y: y)
    else { throw misfit(inputs) }
    return [y]
  }

  func overwritten(of inputs: Int) -> Int? { fusion.overwritten(of: inputs) }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    let x = inputs[0].rows
    func bytes(_ x: TensorType) -> Int {
      linearScratchBytes(x: x, weight: inputs[1], epilogue: fusion.hasEpilogue, threads: threads)
    }
    guard fusion.hasPrologue else { return bytes(x) }
    return TensorRef.scratchBytes(ConvolutionBand.bands(ofRows: x), of: x, threads: threads) {
      bytes(x.lines($0.lines.count))
    }
  }

  func run(_ io: borrowing OpIO) {
    let (own, fused) = fusion.split(io.inputs)
    let (x, y, weight, pool) = (own[0].rows, io[out: 0].rows, own[1], io.pool)
    let (bias, epilogue) = (own.count > 2 ? own[2] : nil, fusion.epilogue(fused).rows)
    guard fusion.hasPrologue else {
      return Kernels.linear(x, weight: weight, bias: bias, epilogue, into: y, scratch: io.scratch, pool)
    }
    TensorRef.forEachBand(
      ConvolutionBand.bands(ofRows: x.type), of: x, fusion.prologue(fused), nil, scratch: io.scratch, pool
    ) { band, buffer, scratch in
      Kernels.linear(
        buffer.lines(0..<band.lines.count), weight: weight, bias: bias, epilogue.lines(band.output),
        into: y.lines(band.output), scratch: scratch, pool)
    }
  }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    let weight = node.inputs[1]
    return try fusion.vjp(node, dOut: dOut[0]!, wanted: wanted, g) {
      (_, x, dy, wanted) throws(GraphError) -> [Value?] in
      let dx = wanted[0] ? try g.emit(LinearDX(), [dy, weight])[0] : nil
      let dW = wanted[1] ? try g.emit(LinearDW(), [x!, dy])[0] : nil
      guard wanted.count > 2 else { return [dx, dW] }
      return [dx, dW, wanted[2] ? try g.emit(SumRows(), [dy])[0] : nil]
    }
  }

  func multiplyAdds(_ inputs: [TensorType]) -> Int { inputs[0].count * inputs[1].shape[0] }
}

/// dx = dy·W, from the same panels as the forward pass.
///
/// inputs   dy `[…, N]`, weight panels `[N, K]`
/// outputs  dx `[…, K]`
struct LinearDX: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let (dy, weight) = (inputs[0], inputs[1])
    guard weight.layout == .panels, weight.shape.count == 2, dy.shape.last == weight.shape[0] else {
      throw misfit(inputs)
    }
    return [TensorType(dy.shape.dropLast() + [weight.shape[1]])]
  }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    linearDXScratchBytes(dy: inputs[0], weight: inputs[1], threads: threads)
  }

  func run(_ io: borrowing OpIO) {
    linearDX(io[in: 0], weight: io[in: 1], into: io[out: 0], scratch: io.scratch, io.pool)
  }

  func multiplyAdds(_ inputs: [TensorType]) -> Int { inputs[0].count * inputs[1].shape[1] }
}

/// dW = dyᵀ·x, plain.
///
/// inputs   x `[…, K]`, dy `[…, N]`
/// outputs  dW `[N, K]`
struct LinearDW: Op {
  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let (x, dy) = (inputs[0].shape, inputs[1].shape)
    guard x.dropLast() == dy.dropLast() else { throw misfit(inputs) }
    return [TensorType([dy.last!, x.last!])]
  }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    linearDWScratchBytes(x: inputs[0], dy: inputs[1], threads: threads)
  }

  func run(_ io: borrowing OpIO) {
    linearDW(io[in: 0], dy: io[in: 1], into: io[out: 0], scratch: io.scratch, io.pool)
  }

  func multiplyAdds(_ inputs: [TensorType]) -> Int { inputs[0].count * inputs[1].shape.last! }
}

/// y[c] = Σ x[r, c] over all rows: the gradient of what is added to every row.
///
/// inputs   x `[…, C]`
/// outputs  y `[C]`, of a vector that is a row `[1, C]`
struct SumRows: Op {
  var isRow = false

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let c = inputs[0].shape.last!
    return [TensorType(isRow ? [1, c] : [c])]
  }

  func run(_ io: borrowing OpIO) { sumRows(io[in: 0], into: io[out: 0], io.pool) }
}

extension Scope {
  /// `weight` and `bias` of this scope applied to `[…, K]`.
  package func linear(_ x: Value, to outputs: Int, bias: Bool = true) throws(GraphError) -> Value {
    try linear(LayerInput(x), to: outputs, bias: bias)
  }

  /// The same with what comes before it and after it: `residual` + linear layer of `input`.
  package func linear(
    _ input: LayerInput, to outputs: Int, bias: Bool = true, residual: Value? = nil
  ) throws(GraphError) -> Value {
    guard builder.lowering.fuses, !isAdapted else {
      // Side branches read the same rows.
      let x = try plain(input)
      let y = try adapted(product(x, [], to: outputs, .none, bias: bias), from: x)
      return try residual.map { (value) throws(GraphError) in try add(value, y) } ?? y
    }
    let (fusion, fused) = try fusion(input, channels: nil, residual: residual)
    return try product(input.x, fused, to: outputs, fusion, bias: bias)
  }

  private func product(
    _ x: Value, _ fused: [Value], to outputs: Int, _ fusion: LayerFusion, bias: Bool
  ) throws(GraphError) -> Value {
    if format("weight").element == .s8 {
      return try byteLinear(x, fused, to: outputs, fusion, bias: bias)
    }
    var inputs = [x, weight("weight", [outputs, channels(x)], .matrix)]
    if bias { inputs.append(weight("bias", [outputs], .vector)) }
    return try emit(Linear(fusion: fusion), inputs + fused)[0]
  }
}
