import CKernels
import Tensors

// Every function below may write over an input of the same shape.

/// y = x·sigmoid(x)
package func silu(_ x: TensorRef, into y: TensorRef, _ pool: ThreadPool) {
  map("silu", x, y, pool, pool.kernels.table.pointee.silu)
}

/// y = x·Φ(x), the exact form with erf
package func gelu(_ x: TensorRef, into y: TensorRef, _ pool: ThreadPool) {
  map("gelu", x, y, pool, pool.kernels.table.pointee.gelu)
}

/// y = x·sigmoid(1.702·x)
package func quickGELU(_ x: TensorRef, into y: TensorRef, _ pool: ThreadPool) {
  map("quickGELU", x, y, pool, pool.kernels.table.pointee.quick_gelu)
}

/// dx = dy·d silu(x)/dx
package func siluDX(_ x: TensorRef, dy: TensorRef, into dx: TensorRef, _ pool: ThreadPool) {
  zip("siluDX", x, dy, dx, pool, pool.kernels.table.pointee.silu_dx)
}

/// dx = dy·d gelu(x)/dx
package func geluDX(_ x: TensorRef, dy: TensorRef, into dx: TensorRef, _ pool: ThreadPool) {
  zip("geluDX", x, dy, dx, pool, pool.kernels.table.pointee.gelu_dx)
}

/// dx = dy·d quickGELU(x)/dx
package func quickGELUDX(_ x: TensorRef, dy: TensorRef, into dx: TensorRef, _ pool: ThreadPool) {
  zip("quickGELUDX", x, dy, dx, pool, pool.kernels.table.pointee.quick_gelu_dx)
}

/// y = a + b
package func add(_ a: TensorRef, _ b: TensorRef, into y: TensorRef, _ pool: ThreadPool) {
  zip("add", a, b, y, pool, add_rows)
}

/// y = a·b, value by value
package func multiply(_ a: TensorRef, _ b: TensorRef, into y: TensorRef, _ pool: ThreadPool) {
  zip("multiply", a, b, y, pool, multiply_rows)
}

/// y = by·x
package func scale(_ x: TensorRef, by factor: Float, into y: TensorRef, _ pool: ThreadPool) {
  precondition(x.type == y.type, "scale: \(x.type) into \(y.type)")
  let (from, to) = (x.floats, y.floats)
  inPieces(x.type.count, pool) { scale_row($0.count, from + $0.lowerBound, factor, to + $0.lowerBound) }
}

/// y = max(x, 0)
package func relu(_ x: TensorRef, into y: TensorRef, _ pool: ThreadPool) {
  map("relu", x, y, pool, relu_row)
}

/// dx = dy where x > 0, otherwise 0
package func reluDX(_ x: TensorRef, dy: TensorRef, into dx: TensorRef, _ pool: ThreadPool) {
  zip("reluDX", x, dy, dx, pool, relu_dx_row)
}

/// y = by·x + plus
package func affine(_ x: TensorRef, by: Float, plus: Float, into y: TensorRef, _ pool: ThreadPool) {
  precondition(x.type == y.type, "affine: \(x.type) into \(y.type)")
  let (from, to) = (x.floats, y.floats)
  inPieces(x.type.count, pool) {
    affine_row($0.count, from + $0.lowerBound, by, plus, to + $0.lowerBound)
  }
}

/// y = limit·tanh(x/limit)
package func softLimit(_ x: TensorRef, to limit: Float, into y: TensorRef, _ pool: ThreadPool) {
  precondition(x.type == y.type, "softLimit: \(x.type) into \(y.type)")
  let (from, to) = (x.floats, y.floats)
  inPieces(x.type.count, pool) { soft_limit_row($0.count, from + $0.lowerBound, limit, to + $0.lowerBound) }
}

/// dx = dy·(1 − (y/limit)²) with the result y of `softLimit`
package func softLimitDX(
  _ y: TensorRef, dy: TensorRef, to limit: Float, into dx: TensorRef, _ pool: ThreadPool
) {
  precondition(y.type == dx.type && dy.type == dx.type, "softLimitDX: \(y.type), \(dy.type) into \(dx.type)")
  let (from, dFrom, to) = (y.floats, dy.floats, dx.floats)
  inPieces(y.type.count, pool) {
    soft_limit_dx_row(
      $0.count, from + $0.lowerBound, limit, dFrom + $0.lowerBound, to + $0.lowerBound)
  }
}

/// y = a + by·b
package func addScaled(
  _ a: TensorRef, _ b: TensorRef, by factor: Float, into y: TensorRef, _ pool: ThreadPool
) {
  precondition(a.type == y.type && b.type == y.type, "addScaled: \(a.type), \(b.type) into \(y.type)")
  let (left, right, to) = (a.floats, b.floats, y.floats)
  inPieces(a.type.count, pool) {
    add_scaled_row($0.count, left + $0.lowerBound, factor, right + $0.lowerBound, to + $0.lowerBound)
  }
}

/// y = value·gelu(gate) with x = (value, gate) in every row.
///
/// x `[rows, 2C]`, y `[rows, C]`
package func geglu(_ x: TensorRef, into y: TensorRef, _ pool: ThreadPool) {
  let (rows, c) = y.rowsAndColumns
  precondition(x.rowsAndColumns == (rows, 2 * c), "geglu: \(x.shape) into \(y.shape)")
  let (from, to, kernel) = (x.floats, y.floats, pool.kernels.table.pointee.geglu)
  byRows(rows, c, pool) { row in
    kernel(c, from + row * 2 * c, from + row * 2 * c + c, to + row * c)
  }
}

/// dx = (dy·gelu(gate), dy·value·gelu′(gate)) with x = (value, gate) in every row; dx may be x.
///
/// x, dx `[rows, 2C]`, dy `[rows, C]`
package func gegluDX(_ x: TensorRef, dy: TensorRef, into dx: TensorRef, _ pool: ThreadPool) {
  let (rows, c) = dy.rowsAndColumns
  precondition(
    x.rowsAndColumns == (rows, 2 * c) && dx.shape == x.shape,
    "gegluDX: \(x.shape), \(dy.shape) into \(dx.shape)")
  let (from, dFrom, to, set) = (x.floats, dy.floats, dx.floats, pool.kernels.table)
  byRows(rows, c, pool) { row in
    // In pieces through a small buffer, because dx may be x and each half of dx needs both halves of x.
    withUnsafeTemporaryAllocation(of: Float.self, capacity: 256) { piece in
      let product = piece.baseAddress!
      for j in stride(from: 0, to: c, by: 256) {
        let n = min(256, c - j)
        let (value, gate, dy) = (from + row * 2 * c + j, from + row * 2 * c + c + j, dFrom + row * c + j)
        let (dValue, dGate) = (to + row * 2 * c + j, to + row * 2 * c + c + j)
        multiply_rows(n, dy, value, product)
        set.pointee.geglu(n, dy, gate, dValue)
        set.pointee.gelu_dx(n, gate, product, dGate)
      }
    }
  }
}

/// y = x + v, the same vector at every pixel.
///
/// x, y `[H, W, C]` or `[rows, C]`, v `[1, C]`
package func addChannels(_ x: TensorRef, _ v: TensorRef, into y: TensorRef, _ pool: ThreadPool) {
  let (rows, c) = x.rowsAndColumns
  precondition(x.type == y.type && v.type.count == c, "addChannels: \(x.shape), \(v.shape) into \(y.shape)")
  let (from, vector, to) = (x.floats, v.floats, y.floats)
  byRows(rows, c, pool) { row in add_rows(c, from + row * c, vector, to + row * c) }
}

/// y = value everywhere
package func fill(_ y: TensorRef, with value: Float) {
  y.floats.update(repeating: value, count: y.type.count)
}

/// Σ a·b over all values, in double: pieces of 8192 values in order.
package func dot(_ a: TensorRef, _ b: TensorRef, _ pool: ThreadPool) -> Double {
  precondition(a.type == b.type, "dot: \(a.type), \(b.type)")
  let (left, right, rowSums) = (a.floats, b.floats, pool.kernels.table.pointee.row_sums)
  let pieces = (a.type.count + pieceCount - 1) / pieceCount
  return withUnsafeTemporaryAllocation(of: Double.self, capacity: 2 * pieces) { sums in
    let results = sums.baseAddress!
    inPieces(a.type.count, pool) {
      // Of (Σ a, Σ a·b) the second is wanted.
      rowSums(
        $0.count, right + $0.lowerBound, left + $0.lowerBound, nil,
        results + 2 * ($0.lowerBound / pieceCount))
    }
    return (0..<pieces).reduce(0) { $0 + results[2 * $1 + 1] }
  }
}

// MARK: - partition

/// Floats per piece of an elementwise loop: 32 KiB.
private let pieceCount = 8192

private func inPieces(_ count: Int, _ pool: ThreadPool, _ body: (Range<Int>) -> Void) {
  pool.run((count + pieceCount - 1) / pieceCount) { piece, _ in
    body(piece * pieceCount..<min(count, (piece + 1) * pieceCount))
  }
}

/// Calls `body` for every row, about `pieceCount` values at a time.
func byRows(_ rows: Int, _ columns: Int, _ pool: ThreadPool, _ body: (Int) -> Void) {
  let some = max(1, pieceCount / max(columns, 1))
  pool.run((rows + some - 1) / some) { piece, _ in
    for row in piece * some..<min(rows, (piece + 1) * some) { body(row) }
  }
}

private typealias Unary = @convention(c) (Int, UnsafePointer<Float>, UnsafeMutablePointer<Float>) -> Void
private typealias Binary =
  @convention(c) (
    Int, UnsafePointer<Float>, UnsafePointer<Float>, UnsafeMutablePointer<Float>
  ) -> Void

private func map(_ name: String, _ x: TensorRef, _ y: TensorRef, _ pool: ThreadPool, _ kernel: Unary) {
  precondition(x.type.count == y.type.count, "\(name): \(x.shape) into \(y.shape)")
  let (from, to) = (x.floats, y.floats)
  inPieces(x.type.count, pool) { kernel($0.count, from + $0.lowerBound, to + $0.lowerBound) }
}

private func zip(
  _ name: String, _ a: TensorRef, _ b: TensorRef, _ y: TensorRef, _ pool: ThreadPool, _ kernel: Binary
) {
  precondition(
    a.type.count == b.type.count && a.type.count == y.type.count,
    "\(name): \(a.shape), \(b.shape) into \(y.shape)")
  let (left, right, to) = (a.floats, b.floats, y.floats)
  inPieces(a.type.count, pool) {
    kernel($0.count, left + $0.lowerBound, right + $0.lowerBound, to + $0.lowerBound)
  }
}
