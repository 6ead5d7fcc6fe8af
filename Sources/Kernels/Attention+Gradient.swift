import CKernels
import Tensors

/// The gradients of `attention`, with probabilities rebuilt tile by tile (FlashAttention, appendix B):
///
///     P = exp(score − logSum),  D_i = dO_i·o_i,  dP = dO·vᵀ,  dS = P∘(dP − D)/√d
///     dq = dS·k,   dk = dSᵀ·q,   dv = Pᵀ·dO
///
/// dq walks over blocks of queries, dk and dv over blocks of keys, so every sum belongs to one thread.

/// dq `[Tq, C]` from q, o, dO `[Tq, C]`, k, v `[Tk, C]`, logSum `[heads, Tq]`
package func attentionDQ(
  _ q: TensorRef, k: TensorRef, v: TensorRef, o: TensorRef, logSum: TensorRef, dO: TensorRef, heads: Int,
  causal: Bool, into dq: TensorRef, scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
) {
  let pass = AttentionGradient(q, k, v, o, logSum, dO, heads, causal, \.gradientNeeds, scratch, pool)
  precondition(dq.shape == q.shape, "attentionDQ: \(q.shape) into \(dq.shape)")
  let (tiles, set, c, d) = (pass.tiles, pool.kernels.table, pass.tiles.channels, pass.tiles.size)
  let output = dq.floats
  let block = tiles.blockRows(of: tiles.queries, threads: pool.threads)
  let blocks = (tiles.queries + block - 1) / block

  pool.run(heads * blocks) { index, thread in
    let place = pass.places[thread]
    let (keyColumns, valueColumns, keyRows) = (place.panels[0], place.panels[1], place.panels[2])
    let (p, dp) = (place.strips[0], place.strips[1])
    let head = index / blocks
    let rows = index % blocks * block..<min(tiles.queries, (index % blocks + 1) * block)
    for start in stride(from: 0, to: tiles.lastKey(of: rows), by: tiles.tileRows) {
      let tile = start..<min(tiles.keys, start + tiles.tileRows)
      tiles.packColumns(pass.k, rows: tile, head: head, into: keyColumns, set)
      tiles.packColumns(pass.v, rows: tile, head: head, into: valueColumns, set)
      tiles.packRows(pass.k, rows: tile, head: head, into: keyRows)
      for r in stride(from: rows.lowerBound, to: rows.upperBound, by: pool.kernels.tile.rows) {
        let few = r..<min(rows.upperBound, r + pool.kernels.tile.rows)
        tiles.scores(
          pass.q, rows: few, head: head, panels: keyColumns, count: tile.count, into: p, place, pool.kernels)
        tiles.scores(
          pass.dO, rows: few, head: head, panels: valueColumns, count: tile.count, into: dp, place,
          pool.kernels)
        for (i, row) in few.enumerated() {
          let (line, dLine) = (p + i * tiles.tileRows, dp + i * tiles.tileRows)
          let (logSum, delta) = pass.sums(head, row)
          set.pointee.probability_row(tile.count, tiles.scale, logSum, 0, line)
          let visible = tiles.visible(tile, row)
          (line + visible).update(repeating: 0, count: tile.count - visible)
          set.pointee.dscore_row(tile.count, pass.scale, line, delta, 0, dLine)
        }
        tiles.accumulate(
          dp, rows: few.count, panels: keyRows, count: tile.count, isFirst: start == 0,
          into: output + r * c + head * d, place, pool.kernels)
      }
    }
  }
}

/// dk and dv `[Tk, C]` from q, o, dO `[Tq, C]`, k, v `[Tk, C]`, logSum `[heads, Tq]`
package func attentionDKV(
  _ q: TensorRef, k: TensorRef, v: TensorRef, o: TensorRef, logSum: TensorRef, dO: TensorRef, heads: Int,
  causal: Bool, intoK dk: TensorRef, intoV dv: TensorRef, scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
) {
  let pass = AttentionGradient(q, k, v, o, logSum, dO, heads, causal, \.gradientNeeds, scratch, pool)
  precondition(
    dk.shape == k.shape && dv.shape == k.shape, "attentionDKV: \(k.shape) into \(dk.shape), \(dv.shape)")
  let (tiles, set, c, d) = (pass.tiles, pool.kernels.table, pass.tiles.channels, pass.tiles.size)
  let (keysOut, valuesOut) = (dk.floats, dv.floats)
  let block = tiles.blockRows(of: tiles.keys, threads: pool.threads)
  let blocks = (tiles.keys + block - 1) / block

  pool.run(heads * blocks) { index, thread in
    let place = pass.places[thread]
    let (queryColumns, dOColumns, queryRows, dORows) = (
      place.panels[0], place.panels[1], place.panels[2], place.panels[3]
    )
    let (p, dp) = (place.strips[0], place.strips[1])
    let head = index / blocks
    let rows = index % blocks * block..<min(tiles.keys, (index % blocks + 1) * block)
    for start in stride(from: 0, to: tiles.queries, by: tiles.tileRows) {
      let tile = start..<min(tiles.queries, start + tiles.tileRows)
      tiles.packColumns(pass.q, rows: tile, head: head, into: queryColumns, set)
      tiles.packColumns(pass.dO, rows: tile, head: head, into: dOColumns, set)
      tiles.packRows(pass.q, rows: tile, head: head, into: queryRows)
      tiles.packRows(pass.dO, rows: tile, head: head, into: dORows)
      let (logSum, delta) = pass.sums(head, start)
      for r in stride(from: rows.lowerBound, to: rows.upperBound, by: pool.kernels.tile.rows) {
        let few = r..<min(rows.upperBound, r + pool.kernels.tile.rows)
        tiles.scores(
          pass.k, rows: few, head: head, panels: queryColumns, count: tile.count, into: p, place, pool.kernels
        )
        tiles.scores(
          pass.v, rows: few, head: head, panels: dOColumns, count: tile.count, into: dp, place, pool.kernels)
        for (i, key) in few.enumerated() {
          let (line, dLine) = (p + i * tiles.tileRows, dp + i * tiles.tileRows)
          set.pointee.probability_row(tile.count, tiles.scale, logSum, 1, line)
          if causal { line.update(repeating: 0, count: min(tile.count, max(0, key - start))) }
          set.pointee.dscore_row(tile.count, pass.scale, line, delta, 1, dLine)
        }
        tiles.accumulate(
          p, rows: few.count, panels: dORows, count: tile.count, isFirst: start == 0,
          into: valuesOut + r * c + head * d, place, pool.kernels)
        tiles.accumulate(
          dp, rows: few.count, panels: queryRows, count: tile.count, isFirst: start == 0,
          into: keysOut + r * c + head * d, place, pool.kernels)
      }
    }
  }
}

/// For `attentionDQ` and for `attentionDKV`.
package func attentionGradientScratchBytes(q: TensorType, k: TensorType, heads: Int, threads: Int) -> Int {
  let tiles = AttentionTiles(q: q.shape, k: k.shape, heads: heads, causal: false)
  return tiles.scratchBytes(tiles.gradientNeeds, threads: threads, shared: 2 * heads * tiles.queries)
}

/// What all passes start from: the operands, and (logSum in powers of two, D) for every query and head.
struct AttentionGradient {
  let tiles: AttentionTiles
  let q: UnsafeMutablePointer<Float>, k: UnsafeMutablePointer<Float>, v: UnsafeMutablePointer<Float>
  let dO: UnsafeMutablePointer<Float>
  let logSums: UnsafeMutablePointer<Float>, deltas: UnsafeMutablePointer<Float>
  let places: [AttentionTiles.Place]
  /// 1/√d
  let scale: Float

  init(
    _ q: TensorRef, _ k: TensorRef, _ v: TensorRef, _ o: TensorRef, _ logSum: TensorRef, _ dO: TensorRef,
    _ heads: Int, _ causal: Bool, _ needs: (AttentionTiles) -> AttentionTiles.Needs,
    _ scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
  ) {
    let tiles = AttentionTiles(q: q.shape, k: k.shape, heads: heads, causal: causal)
    let count = heads * tiles.queries
    precondition(
      k.shape == v.shape && q.shape == o.shape && q.shape == dO.shape && logSum.type.count == count,
      "attention gradient: \(q.shape), \(k.shape), \(v.shape), \(o.shape), \(dO.shape), \(logSum.shape)")
    self.tiles = tiles
    (self.q, self.k, self.v, self.dO) = (q.floats, k.floats, v.floats, dO.floats)
    scale = 1 / Float(tiles.size).squareRoot()
    let (shared, places) = tiles.places(
      scratch, needs(tiles), threads: pool.threads, shared: 2 * count)
    (self.places, logSums, deltas) = (places, shared, shared + count)

    let (logSums, deltas, dOut, output, saved) = (logSums, deltas, self.dO, o.floats, logSum.floats)
    let rowSums = pool.kernels.table.pointee.row_sums
    byRows(tiles.queries, tiles.channels, pool) { row in
      for head in 0..<heads {
        let (i, x) = (head * tiles.queries + row, row * tiles.channels + head * tiles.size)
        var sums = (0.0, 0.0)
        withUnsafeMutableBytes(of: &sums) {
          rowSums(
            tiles.size, output + x, dOut + x, nil, $0.baseAddress!.assumingMemoryBound(to: Double.self))
        }
        logSums[i] = saved[i] * AttentionTiles.log2e
        deltas[i] = Float(sums.1)
      }
    }
  }

  func sums(_ head: Int, _ row: Int) -> (logSum: UnsafePointer<Float>, delta: UnsafePointer<Float>) {
    let i = head * tiles.queries + row
    return (UnsafePointer(logSums + i), UnsafePointer(deltas + i))
  }
}

extension AttentionTiles {
  fileprivate var gradientNeeds: Needs {
    Needs(panels: [scorePanels, scorePanels, sumPanels, sumPanels], strips: 2)
  }
}
