import CKernels
import Tensors

/// dq, dk and dv together: the bits of `attentionDQ` and `attentionDKV` from five products instead of seven, since
/// probabilities and their gradients are rebuilt once.
///
/// A thread takes whole heads. For a tile of keys it walks over blocks of queries; dq collects its sum over the tiles,
/// dk and dv theirs over the blocks, through the block's P and dS turned on their sides. Where so many threads would wait
/// for the last heads that seven products on all of them are sooner done, the two passes run one after the other.
///
/// dq `[Tq, C]`, dk and dv `[Tk, C]` from q, o, dO `[Tq, C]`, k, v `[Tk, C]`, logSum `[heads, Tq]`
package func attentionDQKV(
  _ q: TensorRef, k: TensorRef, v: TensorRef, o: TensorRef, logSum: TensorRef, dO: TensorRef, heads: Int,
  causal: Bool, intoQ dq: TensorRef, intoK dk: TensorRef, intoV dv: TensorRef,
  scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
) {
  let rounds = (heads + pool.threads - 1) / pool.threads
  guard 5 * rounds * pool.threads <= 7 * heads else {
    attentionDQ(
      q, k: k, v: v, o: o, logSum: logSum, dO: dO, heads: heads, causal: causal, into: dq, scratch: scratch,
      pool)
    return attentionDKV(
      q, k: k, v: v, o: o, logSum: logSum, dO: dO, heads: heads, causal: causal, intoK: dk, intoV: dv,
      scratch: scratch, pool)
  }
  let pass = AttentionGradient(q, k, v, o, logSum, dO, heads, causal, \.wholeNeeds, scratch, pool)
  precondition(
    dq.shape == q.shape && dk.shape == k.shape && dv.shape == k.shape,
    "attentionDQKV: \(q.shape), \(k.shape) into \(dq.shape), \(dk.shape), \(dv.shape)")
  let (toQ, toK, toV) = (dq.floats, dk.floats, dv.floats)
  pool.run(heads) { head, thread in
    let step = Step(pass, head, pass.places[thread], pool.kernels)
    for start in stride(from: 0, to: pass.tiles.keys, by: pass.tiles.tileRows) {
      step.walk(over: start..<min(pass.tiles.keys, start + pass.tiles.tileRows), toQ, toK, toV)
    }
  }
}

package func attentionDQKVScratchBytes(q: TensorType, k: TensorType, heads: Int, threads: Int) -> Int {
  let tiles = AttentionTiles(q: q.shape, k: k.shape, heads: heads, causal: false)
  return max(
    tiles.scratchBytes(tiles.wholeNeeds, threads: threads, shared: 2 * heads * tiles.queries),
    attentionGradientScratchBytes(q: q, k: k, heads: heads, threads: threads))
}

extension AttentionTiles {
  /// Queries whose P and dS exist at a time: a multiple of every GEMM tile's height and of 16.
  fileprivate static let queryBlock = 48

  /// Keys twice as columns (of k and v) and once as rows, a block of q and dO as rows, and a block of P and dS both ways.
  fileprivate var wholeNeeds: Needs {
    let (rows, block) = (Self.queryBlock * widePanels, Self.queryBlock * tileRows)
    return Needs(
      panels: [scorePanels, scorePanels, sumPanels, rows, rows, block, block, block, block], strips: 0)
  }
}

/// One head on one thread.
private struct Step {
  let pass: AttentionGradient, head: Int, place: AttentionTiles.Place, kernels: KernelSet
  let keyColumns: UnsafeMutablePointer<Float>, valueColumns: UnsafeMutablePointer<Float>
  let keyRows: UnsafeMutablePointer<Float>
  let queryRows: UnsafeMutablePointer<Float>, dORows: UnsafeMutablePointer<Float>
  /// P and dS `[queryBlock, tileRows]`, and `[tileRows, queryBlock]`.
  let p: UnsafeMutablePointer<Float>, ds: UnsafeMutablePointer<Float>
  let pTurned: UnsafeMutablePointer<Float>, dsTurned: UnsafeMutablePointer<Float>

  init(_ pass: AttentionGradient, _ head: Int, _ place: AttentionTiles.Place, _ kernels: KernelSet) {
    (self.pass, self.head, self.place, self.kernels) = (pass, head, place, kernels)
    let all = place.panels
    (keyColumns, valueColumns, keyRows) = (all[0], all[1], all[2])
    (queryRows, dORows, p, ds, pTurned, dsTurned) = (all[3], all[4], all[5], all[6], all[7], all[8])
  }

  func walk(
    over keys: Range<Int>, _ dq: UnsafeMutablePointer<Float>, _ dk: UnsafeMutablePointer<Float>,
    _ dv: UnsafeMutablePointer<Float>
  ) {
    let (tiles, set, column) = (pass.tiles, kernels.table, head * pass.tiles.size)
    tiles.packColumns(pass.k, rows: keys, head: head, into: keyColumns, set)
    tiles.packColumns(pass.v, rows: keys, head: head, into: valueColumns, set)
    tiles.packRows(pass.k, rows: keys, head: head, into: keyRows)
    // Queries before the first key of the tile see none of it.
    let block = AttentionTiles.queryBlock
    let first = tiles.isCausal ? keys.lowerBound / block * block : 0
    for start in stride(from: first, to: tiles.queries, by: block) {
      let queries = start..<min(tiles.queries, start + block)
      tiles.packRows(pass.q, rows: queries, head: head, into: queryRows)
      tiles.packRows(pass.dO, rows: queries, head: head, into: dORows)
      rebuild(queries, keys, into: dq)
      turn(p, queries.count, keys.count, into: pTurned)
      turn(ds, queries.count, keys.count, into: dsTurned)
      for r in stride(from: 0, to: keys.count, by: kernels.tile.rows) {
        let (few, place) = (
          min(kernels.tile.rows, keys.count - r), (keys.lowerBound + r) * tiles.channels + column
        )
        tiles.accumulate(
          pTurned + r * block, stride: block, rows: few, panels: dORows, count: queries.count,
          isFirst: start == first, into: dv + place, self.place, kernels)
        tiles.accumulate(
          dsTurned + r * block, stride: block, rows: few, panels: queryRows, count: queries.count,
          isFirst: start == first, into: dk + place, self.place, kernels)
      }
    }
  }

  /// P and dS of a block of queries and a tile of keys, and what they add to dq.
  private func rebuild(_ queries: Range<Int>, _ keys: Range<Int>, into dq: UnsafeMutablePointer<Float>) {
    let (tiles, set) = (pass.tiles, kernels.table)
    for r in stride(from: queries.lowerBound, to: queries.upperBound, by: kernels.tile.rows) {
      let few = r..<min(queries.upperBound, r + kernels.tile.rows)
      let offset = (r - queries.lowerBound) * tiles.tileRows
      tiles.scores(
        pass.q, rows: few, head: head, panels: keyColumns, count: keys.count, into: p + offset, place, kernels
      )
      tiles.scores(
        pass.dO, rows: few, head: head, panels: valueColumns, count: keys.count, into: ds + offset, place,
        kernels)
      for (i, row) in few.enumerated() {
        let line = offset + i * tiles.tileRows
        let (logSum, delta) = pass.sums(head, row)
        set.pointee.probability_row(keys.count, tiles.scale, logSum, 0, p + line)
        let visible = tiles.visible(keys, row)
        (p + line + visible).update(repeating: 0, count: keys.count - visible)
        set.pointee.dscore_row(keys.count, pass.scale, p + line, delta, 0, ds + line)
      }
      tiles.accumulate(
        ds + offset, rows: few.count, panels: keyRows, count: keys.count, isFirst: keys.lowerBound == 0,
        into: dq + r * tiles.channels + head * tiles.size, place, kernels)
    }
  }

  /// y `[tileRows, queryBlock]` = xᵀ, in whole squares of 16: what lies beyond the counts is never read.
  private func turn(
    _ x: UnsafePointer<Float>, _ rows: Int, _ columns: Int, into y: UnsafeMutablePointer<Float>
  ) {
    let (ldx, ldy) = (pass.tiles.tileRows, AttentionTiles.queryBlock)
    for j in stride(from: 0, to: columns, by: 16) {
      for i in stride(from: 0, to: rows, by: 16) {
        kernels.table.pointee.transpose_16x16(x + i * ldx + j, ldx, y + j * ldy + i, ldy)
      }
    }
  }
}
