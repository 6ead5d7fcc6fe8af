import Kernels
import Tensors

/// The gradient of a feed-forward layer with its norm and residual, in chunks of rows. What lies between the two layers is
/// computed again for one chunk at a time, so that neither it nor its gradient ever exists as a whole.
///
///     dx = dy + norm′(x)·W₁ᵀ·geglu′(W₁·norm(x) + b₁)·W₂ᵀ·dy
///
/// The bits are those of the operators by themselves.
///
/// inputs   x `[…, C]`, gamma `[C]`, beta `[C]`, then of the inner layer `[2F, C]` and of the outer one `[C, F]`:
///          weight panels, scales (if they are bytes), bias; last dy `[…, C]`
/// outputs  dx `[…, C]`
struct FeedForwardDX: Op {
  var layer: FeedForwardLayer

  /// About so many of the inner layer's values exist at a time, and as many of their gradients.
  private static let valueCount = 1 << 19

  func outputTypes(_ inputs: [TensorType]) throws(GraphError) -> [TensorType] {
    let y = try layer.outputTypes(Array(inputs.dropLast()))
    guard y == [inputs.last!] else { throw misfit(inputs) }
    return y
  }

  /// Every row of dy is read before its row of dx is written.
  func overwritten(of inputs: Int) -> Int? { inputs - 1 }

  /// The inner layer again, and both backwards.
  func multiplyAdds(_ inputs: [TensorType]) -> Int {
    let (rows, parts) = (inputs[0].rows.shape[0], layer.parts(Array(inputs.dropLast())))
    return rows * (2 * parts.inner[0].count + parts.outer[0].count)
  }

  func scratchBytes(_ inputs: [TensorType], threads: Int) -> Int {
    let parts = layer.parts(Array(inputs.dropLast()))
    let chunk = Chunk(inputs[0].rows, width: parts.inner[0].shape[0])
    let needed = [
      layer.inner.op(.none).scratchBytes([chunk.x] + parts.inner, threads: threads),
      layer.inner.gradient.scratchBytes([chunk.wide] + parts.inner, threads: threads),
      layer.outer.gradient.scratchBytes([chunk.x] + parts.outer, threads: threads),
    ]
    return chunk.byteCount + needed.max()!
  }

  func run(_ io: borrowing OpIO) {
    let (x, dy, dx) = (io.inputs[0].rows, io.inputs.last!.rows, io[out: 0].rows)
    let parts = layer.parts(Array(io.inputs.dropLast()))
    let chunk = Chunk(x.type, width: parts.inner[0].type.shape[0])
    let (scratch, pool) = (io.scratch + chunk.byteCount, io.pool)
    func run(_ op: any Op, _ inputs: [TensorRef], into output: TensorRef) {
      op.run(OpIO(inputs: inputs, outputs: [output], scratch: scratch, pool: pool))
    }
    for first in stride(from: 0, to: x.type.shape[0], by: chunk.rows) {
      let range = first..<min(first + chunk.rows, x.type.shape[0])
      let (rows, gradient) = (x.lines(range), dy.lines(range))
      let part = chunk.tensors(at: io.scratch, rows: range.count)
      layerNorm(
        rows, gamma: io[in: 1], beta: io[in: 2], epsilon: layer.epsilon, into: part.normal, stats: part.stats,
        pool)
      run(layer.inner.op(.none), [part.normal] + parts.inner, into: part.wide)
      run(layer.outer.gradient, [gradient] + parts.outer, into: part.narrow)
      gegluDX(part.wide, dy: part.narrow, into: part.wide, pool)
      run(layer.inner.gradient, [part.wide] + parts.inner, into: part.normal)
      layerNormDX(rows, stats: part.stats, gamma: io[in: 1], dy: part.normal, into: part.normal, pool)
      add(gradient, part.normal, into: dx.lines(range), pool)
    }
  }

  /// Rows that are worked on at a time: of x and its norm, of the inner layer, of what is behind the gate.
  private struct Chunk {
    let rows: Int
    let x: TensorType, wide: TensorType

    init(_ x: TensorType, width: Int) {
      rows = FeedForwardLayer.chunkRows(of: x.shape[0], width: width, values: FeedForwardDX.valueCount)
      (self.x, wide) = (x.lines(rows), TensorType([rows, width]))
    }

    private var types: [TensorType] {
      [wide, TensorType([rows, wide.shape[1] / 2]), x, TensorType([rows, 2])]
    }

    private func place(of index: Int) -> Int {
      types[..<index].reduce(0) { $0 + ($1.byteCount + 63) / 64 * 64 }
    }

    var byteCount: Int { place(of: types.count) }

    func tensors(
      at address: UnsafeMutableRawPointer, rows: Int
    ) -> (wide: TensorRef, narrow: TensorRef, normal: TensorRef, stats: TensorRef) {
      let parts = types.indices.map { TensorRef(types[$0], at: address + place(of: $0)).lines(0..<rows) }
      return (parts[0], parts[1], parts[2], parts[3])
    }
  }
}
