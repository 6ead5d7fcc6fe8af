import CKernels
import Tensors

/// y = x·Wᵀ + bias
///
/// - Parameters:
///   - x: `[…, K]`
///   - weight: panels `[N, K]`
///   - bias: `[N]`
///   - y: `[…, N]`
package func linear(
  _ x: TensorRef, weight: TensorRef, bias: TensorRef?, _ epilogue: Epilogue = .none, into y: TensorRef,
  scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
) {
  linear(x, PanelWeight(weight, pool.kernels), weight.type, bias, epilogue, into: y, scratch: scratch, pool)
}

/// The same with W = scale·q, on floats throughout; the bits of the same weight in panels of floats.
package func linear(
  _ x: TensorRef, weight: Int8Weight, bias: TensorRef?, _ epilogue: Epilogue = .none, into y: TensorRef,
  scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
) {
  let w = PanelWeight(weight, pool.kernels)
  linear(x, w, weight.panels.type, bias, epilogue, into: y, scratch: scratch, pool)
}

private func linear(
  _ x: TensorRef, _ w: PanelWeight, _ weight: TensorType, _ bias: TensorRef?, _ epilogue: Epilogue,
  into y: TensorRef, scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
) {
  let (rows, k) = x.rowsAndColumns
  precondition(
    k == w.k && y.rowsAndColumns == (rows, w.n), "linear: \(x.shape) × \(weight.shape) into \(y.shape)")
  let input = UnsafePointer(x.floats)
  linearProduct(x.type, weight).run(
    into: y.floats, bias: (bias?.vector(w.n, "bias")).map { UnsafePointer($0) }, epilogue, scratch: scratch,
    pool,
    rowPointers: { _, range, table in
      for (i, row) in range.enumerated() { table[i] = input + row * k }
    },
    panels: { _, k, panels, scratch in w.block(rows: k, panels: panels, scratch) })
}

/// Of either `linear` on floats.
package func linearScratchBytes(
  x: TensorType, weight: TensorType, epilogue: Bool = false, threads: Int
) -> Int {
  linearProduct(x, weight).scratchBytes(threads: threads, epilogue: epilogue)
}

/// dx = dy·W, from the panels of the forward pass.
///
/// - Parameters:
///   - dy: `[…, N]`
///   - weight: panels `[N, K]`
///   - dx: `[…, K]`
package func linearDX(
  _ dy: TensorRef, weight: TensorRef, into dx: TensorRef, scratch: UnsafeMutableRawPointer,
  _ pool: ThreadPool
) {
  linearDX(dy, PanelWeight(weight, pool.kernels), weight.type, into: dx, scratch: scratch, pool)
}

/// dx = dy·W with W = scale·q, on floats throughout; the bits of the same weight in panels of floats.
package func linearDX(
  _ dy: TensorRef, weight: Int8Weight, into dx: TensorRef, scratch: UnsafeMutableRawPointer,
  _ pool: ThreadPool
) {
  linearDX(dy, PanelWeight(weight, pool.kernels), weight.panels.type, into: dx, scratch: scratch, pool)
}

private func linearDX(
  _ dy: TensorRef, _ w: PanelWeight, _ weight: TensorType, into dx: TensorRef,
  scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
) {
  let (rows, n) = dy.rowsAndColumns
  precondition(
    n == w.n && dx.rowsAndColumns == (rows, w.k), "linearDX: \(dy.shape) × \(weight.shape) into \(dx.shape)")
  let input = UnsafePointer(dy.floats)
  linearDXProduct(dy.type, weight).run(
    into: dx.floats, bias: nil, scratch: scratch, pool,
    rowPointers: { _, range, table in
      for (i, row) in range.enumerated() { table[i] = input + row * n }
    },
    panels: { _, outputs, panels, scratch in
      w.transposedBlock(outputs: outputs, panels: panels, first: 0, end: w.k, scratch)
    })
}

/// Of either `linearDX`.
package func linearDXScratchBytes(dy: TensorType, weight: TensorType, threads: Int) -> Int {
  linearDXProduct(dy, weight).scratchBytes(threads: threads)
}

private func linearProduct(_ x: TensorType, _ weight: TensorType) -> PanelProduct {
  let k = weight.shape.dropFirst().reduce(1, *)
  return PanelProduct(rows: x.count / max(k, 1), columns: weight.shape[0], taps: 1, depth: k)
}

private func linearDXProduct(_ dy: TensorType, _ weight: TensorType) -> PanelProduct {
  let (n, k) = (weight.shape[0], weight.shape.dropFirst().reduce(1, *))
  return PanelProduct(rows: dy.count / max(n, 1), columns: k, taps: 1, depth: n)
}
