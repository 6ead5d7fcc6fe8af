import CKernels
import Tensors

/// x in the channels `first..<first + C` of y, which keeps its others: `[…, C]` → `[…, Cy]`
package func copyChannels(_ x: TensorRef, from first: Int, into y: TensorRef, _ pool: ThreadPool) {
  let ((rows, c), (rowsY, cy)) = (x.rowsAndColumns, y.rowsAndColumns)
  precondition(rows == rowsY && first + c <= cy, "copy: \(x.shape) into \(y.shape) from channel \(first) on")
  let (from, to) = (x.floats, y.floats)
  byRows(rows, c, pool) { row in (to + row * cy + first).update(from: from + row * c, count: c) }
}

/// y = the channels `first..<first + C` of x: `[…, Cx]` → `[…, C]`; the gradient of a concatenation.
package func sliceChannels(_ x: TensorRef, from first: Int, into y: TensorRef, _ pool: ThreadPool) {
  let ((rows, cx), (rowsY, c)) = (x.rowsAndColumns, y.rowsAndColumns)
  precondition(rows == rowsY && first + c <= cx, "slice: \(x.shape) from \(first) into \(y.shape)")
  let (from, to) = (x.floats, y.floats)
  byRows(rows, c, pool) { row in (to + row * c).update(from: from + row * cx + first, count: c) }
}

/// y = zeros, and x in the channels `first..<first + C`: `[…, C]` → `[…, Cy]`; the gradient of a slice.
package func padChannels(_ x: TensorRef, at first: Int, into y: TensorRef, _ pool: ThreadPool) {
  let ((rows, c), (rowsY, cy)) = (x.rowsAndColumns, y.rowsAndColumns)
  precondition(rows == rowsY && first + c <= cy, "pad: \(x.shape) at \(first) into \(y.shape)")
  let (from, to) = (x.floats, y.floats)
  byRows(rows, cy, pool) { row in
    (to + row * cy).update(repeating: 0, count: cy)
    (to + row * cy + first).update(from: from + row * c, count: c)
  }
}

/// y = x in the order of checkpoints: `[O, kh, kw, C]` → `[O, C, kh, kw]`
package func checkpointKernels(_ x: TensorRef, into y: TensorRef, _ pool: ThreadPool) {
  let s = x.shape
  precondition(
    s.count == 4 && y.shape == [s[0], s[3], s[1], s[2]], "kernels \(x.shape) into \(y.shape)")
  let (taps, channels, from, to) = (s[1] * s[2], s[3], x.floats, y.floats)
  byRows(s[0], taps * channels, pool) { row in
    let (from, to) = (from + row * taps * channels, to + row * taps * channels)
    for c in 0..<channels { for t in 0..<taps { to[c * taps + t] = from[t * channels + c] } }
  }
}

/// Nearest neighbour: y[i][j] = x[⌊i·H/H′⌋][⌊j·W/W′⌋], `[H, W, C]` → `[H′, W′, C]`
package func upsampleNearest(_ x: TensorRef, into y: TensorRef, _ pool: ThreadPool) {
  let (h, w, c) = (x.shape[0], x.shape[1], x.shape[2])
  let (height, width) = (y.shape[0], y.shape[1])
  precondition(y.shape.count == 3 && y.shape[2] == c, "upsample: \(x.shape) into \(y.shape)")
  let (from, to) = (x.floats, y.floats)
  pool.run(height) { i, _ in
    let line = from + i * h / height * w * c
    for j in 0..<width { (to + (i * width + j) * c).update(from: line + j * w / width * c, count: c) }
  }
}

/// dx[i][j] = Σ dy over the pixels that `upsampleNearest` copied from (i, j), in row-major order.
///
/// dy `[H′, W′, C]`, dx `[H, W, C]`, H′ ≥ H, W′ ≥ W
package func upsampleNearestDX(_ dy: TensorRef, into dx: TensorRef, _ pool: ThreadPool) {
  let (h, w, c) = (dx.shape[0], dx.shape[1], dx.shape[2])
  let (height, width) = (dy.shape[0], dy.shape[1])
  precondition(
    dy.shape.count == 3 && dy.shape[2] == c && height >= h && width >= w,
    "upsampleDX: \(dy.shape) into \(dx.shape)")
  let (from, to) = (dy.floats, dx.floats)
  pool.run(h) { i, _ in
    (to + i * w * c).update(repeating: 0, count: w * c)
    // The first line whose source is i: ⌈i·H′/H⌉.
    for line in (i * height + h - 1) / h..<((i + 1) * height + h - 1) / h {
      for j in 0..<width {
        let sum = to + (i * w + j * w / width) * c
        add_rows(c, sum, from + (line * width + j) * c, sum)
      }
    }
  }
}

/// y[r] = table[ids[r]]: table `[V, C]` plain f16, bf16 or f32, ids i32 `[rows]`, y `[rows, C]`
package func embedding(table: TensorRef, ids: TensorRef, into y: TensorRef, _ pool: ThreadPool) {
  let (vocabulary, c) = (table.shape[0], table.shape[1])
  let rows = ids.type.count
  precondition(
    table.type.layout == .plain && ids.type.element == .i32 && y.rowsAndColumns == (rows, c),
    "embedding: \(table.type), \(ids.type) into \(y.shape)")
  let (indices, to) = (ids.address.assumingMemoryBound(to: Int32.self), y.floats)
  let rowBytes = c * table.type.element.byteCount
  for r in 0..<rows {
    let id = Int(indices[r])
    precondition(id >= 0 && id < vocabulary, "embedding: id \(id) of \(vocabulary)")
    let row = UnsafeRawBufferPointer(start: table.address + id * rowBytes, count: rowBytes)
    convertToFloat(row, element: table.type.element, into: to + r * c)
  }
}

/// dTable[v] = Σ dy[r] over the rows r with ids[r] = v, in their order, exactly 0 where there are none: ids i32 `[rows]`,
/// dy `[rows, C]`, dTable `[V, C]`
package func embeddingDTable(ids: TensorRef, dy: TensorRef, into dTable: TensorRef) {
  let (vocabulary, c) = (dTable.shape[0], dTable.shape[1])
  let rows = ids.type.count
  precondition(
    ids.type.element == .i32 && dy.rowsAndColumns == (rows, c),
    "embeddingDTable: \(ids.type), \(dy.shape) into \(dTable.shape)")
  let (indices, from, to) = (ids.address.assumingMemoryBound(to: Int32.self), dy.floats, dTable.floats)
  to.update(repeating: 0, count: vocabulary * c)
  for r in 0..<rows {
    let id = Int(indices[r])
    precondition(id >= 0 && id < vocabulary, "embedding: id \(id) of \(vocabulary)")
    add_rows(c, to + id * c, from + r * c, to + id * c)
  }
}
