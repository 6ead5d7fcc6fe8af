import Kernels
import Tensors

/// y = a + factor·s·b: what an adapter adds to a layer's output.
///
/// inputs   a, b of one shape; s `[1]`, the run's common factor of all side branches
/// outputs  y
struct AddSideBranch: Op {
  var factor: Float

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    guard inputs[0] == inputs[1], inputs[2] == TensorType([1]) else { throw misfit(inputs) }
    return [inputs[0]]
  }

  func run(_ io: borrowing OpIO) {
    addScaled(io[in: 0], io[in: 1], by: factor * io[in: 2].scalar, into: io[out: 0], io.pool)
  }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    let db = wanted[1] ? try g.emit(Scaled(factor: factor), [dOut[0]!, node.inputs[2]])[0] : nil
    let ds = wanted[2] ? try g.emit(DotProduct(factor: factor), [dOut[0]!, node.inputs[1]])[0] : nil
    return [dOut[0], db, ds]
  }
}

extension Scope {
  /// Adds to `y`, which this scope's layer made of `x`, what the adapters of the layer make of `x`:
  ///
  ///     x ── W ──────────────────────(+)── y
  ///     x ── lora_A ── lora_B ── ·c·s ┘       for every adapter
  ///
  /// - Parameter convolution: kernel size and geometry of the layer; nil for a linear one, and for a 1×1
  ///   convolution of stride 1, which is the same.
  func adapted(
    _ y: Value, from x: Value, convolution: (kernel: Int, geometry: ConvolutionGeometry)? = nil
  ) throws(GraphError) -> Value {
    var y = y
    for adapter in builder.adapters[path] ?? [] {
      let branch = Scope(builder: builder, path: adapter.path)
      let (a, b) = (branch["lora_A"], branch["lora_B"])
      var h: Value
      if let (kernel, geometry) = convolution {
        let shape = [adapter.rank, channels(x), kernel, kernel]
        h = try emit(Convolution(geometry: geometry), [x, a.weight("weight", shape, .convolution)])[0]
      } else {
        h = try emit(Linear(), [x, a.weight("weight", [adapter.rank, channels(x)], .matrix)])[0]
      }
      h = try emit(Linear(), [h, b.weight("weight", [channels(y), adapter.rank], .matrix)])[0]
      y = try emit(AddSideBranch(factor: adapter.factor), [y, h, builder.adapterScale()])[0]
    }
    return y
  }
}
