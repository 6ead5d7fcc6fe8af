import Kernels
import Tensors

/// Several int8 linear layers of one norm: its rows are normalized and quantized once, and read by all of them.
///
///     yᵢ[n] = scaleᵢ[n]·s·Σ_k q[k]·Wᵢ[n, k],  norm(x) ≈ s·q
///
/// The bits are those of the operators by themselves. Gradient graphs compute in floats and use those.
///
/// inputs   x `[…, C]`, gamma `[C]`, beta `[C]`, then for every layer weight s8 panels `[Nᵢ, C]`, scales `[Nᵢ]`
/// outputs  yᵢ `[…, Nᵢ]`
struct Int8Projections: Op {
  var epsilon: Float
  /// Width of the groups of channels that are rotated, in all layers.
  var rotation: Int?

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let x = inputs[0]
    guard inputs[1] == TensorType([x.shape.last!]), inputs[2] == inputs[1], inputs.count % 2 == 1,
      inputs.count > 3
    else { throw misfit(inputs) }
    var outputs: [TensorType] = []
    for i in stride(from: 3, to: inputs.count, by: 2) {
      outputs += try Int8Linear(rotation: rotation).outputTypes([x, inputs[i], inputs[i + 1]])
    }
    return outputs
  }

  func multiplyAdds(_ inputs: [TensorType]) -> Int {
    stride(from: 3, to: inputs.count, by: 2).reduce(0) { $0 + inputs[0].count * inputs[$1].shape[0] }
  }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    let x = inputs[0].rows
    return Int8Rows.scratchBytes(ConvolutionBand.bands(ofRows: x), of: x, threads: threads) { band in
      let rows = x.lines(band.lines.count)
      return stride(from: 3, to: inputs.count, by: 2).map {
        int8LinearScratchBytes(x: rows, weight: inputs[$0], threads: threads)
      }.max()!
    }
  }

  func run(_ io: borrowing OpIO) {
    let (inputs, pool) = (io.inputs, io.pool)
    let outputs = io.outputs.map(\.rows)
    let prologue = Prologue(.rows(gamma: inputs[1], beta: inputs[2], epsilon: epsilon))
    let x = inputs[0].rows
    Int8Rows.forEachBand(
      ConvolutionBand.bands(ofRows: x.type), of: x, prologue, rotation, scratch: io.scratch, pool
    ) { band, rows, scratch in
      for (i, y) in outputs.enumerated() {
        linear(
          rows.lines(0..<band.lines.count),
          weight: Int8Weight(panels: inputs[3 + 2 * i], scales: inputs[4 + 2 * i]), bias: nil,
          into: y.lines(band.output), scratch: scratch, pool)
      }
    }
  }
}

extension Scope {
  /// Layers without bias, named by their scopes, on the norm of x by `weight` and `bias` of this scope.
  package func projections(
    of x: Value, _ layers: [Scope], to outputs: Int, epsilon: Float = 1e-5
  ) throws(GraphError) -> [Value] {
    let formats = layers.map { $0.format("weight") }
    let isShared = formats.allSatisfy { $0 == WeightFormat(.s8, rotation: formats[0].rotation) }
    guard builder.lowering.fuses, isShared, !builder.lowering.keepsFloats,
      !layers.contains(where: \.isAdapted)
    else {
      let n = try layerNorm(x, epsilon: epsilon)
      var results: [Value] = []
      for layer in layers { results.append(try layer.linear(n, to: outputs, bias: false)) }
      return results
    }
    var inputs = [x] + normParameters(x)
    for layer in layers {
      inputs += layer.int8Weight("weight", [outputs, channels(x)], .matrix, bias: false)
    }
    return try emit(Int8Projections(epsilon: epsilon, rotation: formats[0].rotation), inputs)
  }
}
