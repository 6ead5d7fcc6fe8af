import Kernels
import Tensors

/// A transformer's feed-forward layer with its norm and residual, in chunks of rows: the widest activations of a network,
/// eight times those around them, exist for one chunk only; of bytes, those in front of the gate exist nowhere.
///
///     y = x + (W₂·geglu(W₁·norm(x) + b₁) + b₂)
///
/// The bits are those of the operators by themselves. Gradient graphs use those where what lies between them is kept; where
/// a backward pass computes it again, this one and its gradient (`FeedForwardDX`), which keep x alone.
///
/// inputs   x `[…, C]`, gamma `[C]`, beta `[C]`, then of the inner layer `[2F, C]` and of the outer one `[C, F]`:
///          weight panels, scales (if they are bytes), bias
/// outputs  y `[…, C]`
struct FeedForwardLayer: Op {
  var epsilon: Float
  var inner: RowLayer
  var outer: RowLayer

  /// About so many of the inner layer's values exist at a time.
  private static let valueCount = 1 << 20
  /// Fewer rows than this would read the weights too often. Behind a gate, twice as many take less memory than these.
  private static let leastRows = 192

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let (x, parts) = (inputs[0].rows, parts(inputs))
    guard inputs[1] == TensorType([x.shape[1]]), inputs[2] == inputs[1] else { throw misfit(inputs) }
    let wide = try inner.op(.none).outputTypes([x] + parts.inner)[0]
    let narrow = try GEGLU().outputTypes([wide])[0]
    guard try outer.op(.none).outputTypes([narrow] + parts.outer) == [x] else { throw misfit(inputs) }
    return [inputs[0]]
  }

  /// Every row of x is read before its row of y is written.
  func overwritten(of inputs: Int) -> Int? { 0 }

  func multiplyAdds(_ inputs: [TensorType]) -> Int {
    let rows = inputs[0].rows.shape[0]
    let parts = parts(inputs)
    return rows * (parts.inner[0].count + parts.outer[0].count)
  }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    let parts = parts(inputs)
    let chunk = Chunk(inputs[0].rows, width: parts.inner[0].shape[0], inner)
    let first = inner.op(normalizing, isGated: chunk.wide == nil).scratchBytes(
      [chunk.x] + parts.inner + [inputs[1], inputs[2]], threads: threads)
    let second = outer.op(adding).scratchBytes([chunk.narrow] + parts.outer + [chunk.x], threads: threads)
    return chunk.byteCount + max(first, second)
  }

  func run(_ io: borrowing OpIO) {
    let (x, y, parts) = (io[in: 0].rows, io[out: 0].rows, parts(io.inputs))
    let chunk = Chunk(x.type, width: parts.inner[0].type.shape[0], inner)
    let innerOp = inner.op(normalizing, isGated: chunk.wide == nil)
    let rest = io.scratch + chunk.byteCount
    for first in stride(from: 0, to: x.type.shape[0], by: chunk.rows) {
      let range = first..<min(first + chunk.rows, x.type.shape[0])
      let wide = chunk.wide.map { TensorRef($0, at: io.scratch).lines(0..<range.count) }
      let narrow = TensorRef(chunk.narrow, at: io.scratch + chunk.wideBytes).lines(0..<range.count)
      let rows = x.lines(range)
      innerOp.run(
        OpIO(
          inputs: [rows] + parts.inner + [io[in: 1], io[in: 2]], outputs: [wide ?? narrow], scratch: rest,
          pool: io.pool))
      if let wide { Kernels.geglu(wide, into: narrow, io.pool) }
      outer.op(adding).run(
        OpIO(
          inputs: [narrow] + parts.outer + [rows], outputs: [y.lines(range)], scratch: rest, pool: io.pool))
    }
  }

  private var normalizing: LayerFusion { LayerFusion(normalization: .rows(epsilon: epsilon)) }
  private var adding: LayerFusion { LayerFusion(addsResidual: true) }

  func parts<T>(_ inputs: [T]) -> (inner: [T], outer: [T]) {
    let first = 3 + inner.inputCount
    return (Array(inputs[3..<first]), Array(inputs[first...]))
  }

  /// Rows in a chunk: of about so many values of the inner layer, in chunks of one size, of whole tiles.
  static func chunkRows(of all: Int, width: Int, values: Int, least: Int = leastRows) -> Int {
    let most = max(least, values / width / 96 * 96)
    let count = max(1, (all + most - 1) / most)
    return max(1, min(all, ((all + count - 1) / count + 11) / 12 * 12))
  }

  func vjp(_ node: Node, dOut: [Value?], wanted: [Bool], _ g: Scope) throws(GraphError) -> [Value?] {
    guard !wanted.dropFirst().contains(true) else {
      throw .notDifferentiable(op: "FeedForwardLayer", input: "weight, scales or bias")
    }
    let dx = try g.emit(FeedForwardDX(layer: self), node.inputs + [dOut[0]!])
    return dx + wanted.dropFirst().map { _ in nil }
  }

  /// Rows that are worked on at a time, the inner layer's values of them, and those behind the gate.
  private struct Chunk {
    let rows: Int
    let x: TensorType, narrow: TensorType
    /// Nil where the inner layer applies the gate.
    let wide: TensorType?

    init(_ x: TensorType, width: Int, _ inner: RowLayer) {
      let isGated = inner.quantizes && Int8Linear.canGate(outputs: width)
      rows = FeedForwardLayer.chunkRows(
        of: x.shape[0], width: width, values: FeedForwardLayer.valueCount,
        least: (isGated ? 2 : 1) * FeedForwardLayer.leastRows)
      (self.x, narrow) = (x.lines(rows), TensorType([rows, width / 2]))
      wide = isGated ? nil : TensorType([rows, width])
    }

    var wideBytes: Int { wide.map { ($0.byteCount + 63) / 64 * 64 } ?? 0 }
    var byteCount: Int { wideBytes + (narrow.byteCount + 63) / 64 * 64 }
  }
}

/// A linear layer inside a larger operator: how its weight is stored.
struct RowLayer: Hashable, Sendable {
  var isBytes: Bool
  var rotation: Int?
  var activations = ActivationBits.eight
  /// Of bytes: multiplied by floats.
  var keepsFloats = false
  var hasBias: Bool

  /// Weight, scales, bias.
  var inputCount: Int { 1 + (isBytes ? 1 : 0) + (hasBias ? 1 : 0) }

  /// Whether bytes are multiplied by bytes.
  var quantizes: Bool { isBytes && !keepsFloats }

  /// - Parameter isGated: of one that `quantizes` alone.
  func op(_ fusion: LayerFusion, isGated: Bool = false) -> any Op {
    guard isBytes else { return Linear(fusion: fusion) }
    return keepsFloats
      ? DequantizedLinear(rotation: rotation, fusion: fusion)
      : Int8Linear(rotation: rotation, activations: activations, fusion: fusion, isGated: isGated)
  }

  /// Its gradient by the layer's input.
  var gradient: any Op { isBytes ? Int8LinearDX(rotation: rotation) : LinearDX() }
}

extension Scope {
  /// The feed-forward layer of this scope behind the norm of `norm`, added to x.
  ///
  /// - Parameter width: of the values behind the gate.
  package func feedForward(
    _ x: Value, norm: Scope, width: Int, epsilon: Float = 1e-5
  ) throws(GraphError) -> Value {
    let (inner, outer) = (self["net"][0]["proj"], self["net"][2])
    guard builder.lowering.fuses, !builder.lowering.differentiates || builder.isRecomputed,
      ![inner, outer].contains(where: { $0.isAdapted || $0.isTrained }), !norm.isTrained
    else {
      let h = try geglu(inner.linear(norm.layerNorm(x, epsilon: epsilon), to: 2 * width))
      return try outer.linear(LayerInput(h), to: channels(x), residual: x)
    }
    let parameters = norm.normParameters(x)
    let first = inner.rowLayer(inputs: channels(x), to: 2 * width)
    let second = outer.rowLayer(inputs: width, to: channels(x))
    return try emit(
      FeedForwardLayer(epsilon: epsilon, inner: first.layer, outer: second.layer),
      [x] + parameters + first.inputs + second.inputs)[0]
  }

  var isAdapted: Bool { builder.adapters[path] != nil }
  var isTrained: Bool { builder.isTrained(self["weight"].path) }

  func rowLayer(
    inputs: Int, to outputs: Int, bias: Bool = true
  ) -> (layer: RowLayer, inputs: [Value]) {
    let (format, shape) = (format("weight"), [outputs, inputs])
    guard format.element != .s8 else {
      let layer = RowLayer(
        isBytes: true, rotation: format.rotation, activations: format.activations,
        keepsFloats: builder.lowering.keepsFloats, hasBias: bias)
      return (layer, int8Weight("weight", shape, .matrix, bias: bias))
    }
    let weight = [weight("weight", shape, .matrix)]
    return (
      RowLayer(isBytes: false, hasBias: bias),
      bias ? weight + [self.weight("bias", [outputs], .vector)] : weight
    )
  }
}
