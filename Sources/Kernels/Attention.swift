import CKernels
import Platform
import Tensors

/// o = softmax(q·kᵀ/√d)·v for every head of d = C/heads channels; with `causal`, query i sees keys 0…i.
///
/// - Parameters:
///   - q: `[Tq, C]`
///   - k, v: `[Tk, C]`
///   - o: `[Tq, C]`
///   - logSum: `[heads, Tq]` = ln Σ_j exp(score), what the backward pass rebuilds probabilities from
///
/// Keys come in tiles with a running maximum and sum (Milakov & Gimelshein 2018; FlashAttention, Dao et
/// al. 2022): o collects sums relative to the maximum so far and is rescaled when a larger one appears.
package func attention(
  _ q: TensorRef, k: TensorRef, v: TensorRef, heads: Int, causal: Bool, into o: TensorRef, logSum: TensorRef,
  scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
) {
  let tiles = AttentionTiles(q: q.shape, k: k.shape, heads: heads, causal: causal)
  precondition(
    k.shape == v.shape && q.shape == o.shape && logSum.type.count == heads * tiles.queries,
    "attention: \(q.shape), \(k.shape), \(v.shape) into \(o.shape), \(logSum.shape)")
  let (queries, keys, values) = (q.floats, k.floats, v.floats)
  let (output, logSums) = (o.floats, logSum.floats)
  let (_, places) = tiles.places(scratch, tiles.forwardNeeds, threads: pool.threads)
  let set = pool.kernels.table
  let (d, c) = (tiles.size, tiles.channels)
  let block = tiles.blockRows(of: tiles.queries, threads: pool.threads)
  let blocks = (tiles.queries + block - 1) / block

  pool.run(heads * blocks) { index, thread in
    let place = places[thread]
    let (keyPanels, valuePanels, strip) = (place.panels[0], place.panels[1], place.strips[0])
    let state = place.state  // (running maximum, running sum) per query
    let head = index / blocks
    let rows = index % blocks * block..<min(tiles.queries, (index % blocks + 1) * block)
    for i in 0..<rows.count { (state[2 * i], state[2 * i + 1]) = (-.infinity, 0) }

    for first in stride(from: 0, to: tiles.lastKey(of: rows), by: tiles.tileRows) {
      let tile = first..<min(tiles.keys, first + tiles.tileRows)
      tiles.packColumns(keys, rows: tile, head: head, into: keyPanels, set)
      tiles.packRows(values, rows: tile, head: head, into: valuePanels)
      for r in stride(from: rows.lowerBound, to: rows.upperBound, by: pool.kernels.tile.rows) {
        let few = r..<min(rows.upperBound, r + pool.kernels.tile.rows)
        let sums = output + r * c + head * d
        tiles.scores(
          queries, rows: few, head: head, panels: keyPanels, count: tile.count, into: strip, place,
          pool.kernels)
        for (i, row) in few.enumerated() {
          let factor = set.pointee.softmax_row(
            tiles.visible(tile, row), tile.count, tiles.scale, strip + i * tiles.tileRows,
            state + 2 * (row - rows.lowerBound))
          if first > 0 && factor != 1 { scale_row(d, sums + i * c, factor, sums + i * c) }
        }
        tiles.accumulate(
          strip, rows: few.count, panels: valuePanels, count: tile.count, isFirst: first == 0, into: sums,
          place,
          pool.kernels)
      }
    }
    for (i, row) in rows.enumerated() {
      let (top, sum) = (state[2 * i], state[2 * i + 1])
      let y = output + row * c + head * d
      scale_row(d, y, 1 / sum, y)
      logSums[head * tiles.queries + row] = (top + log2(sum)) / AttentionTiles.log2e
    }
  }
}

package func attentionScratchBytes(q: TensorType, k: TensorType, heads: Int, threads: Int) -> Int {
  let tiles = AttentionTiles(q: q.shape, k: k.shape, heads: heads, causal: false)
  return tiles.scratchBytes(tiles.forwardNeeds, threads: threads)
}

/// p[i][j] = probability with which query i looks at key j, averaged over the heads.
///
/// q `[Tq, C]`, k `[Tk, C]`, logSum `[heads, Tq]` of the forward pass, p `[Tq, Tk]`
package func attentionProbabilities(
  _ q: TensorRef, k: TensorRef, logSum: TensorRef, heads: Int, into p: TensorRef,
  scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
) {
  let tiles = AttentionTiles(q: q.shape, k: k.shape, heads: heads, causal: false)
  precondition(
    p.shape == [tiles.queries, tiles.keys] && logSum.type.count == heads * tiles.queries,
    "attentionProbabilities: \(q.shape), \(k.shape), \(logSum.shape) into \(p.shape)")
  let (queries, keys, logSums, output) = (q.floats, k.floats, logSum.floats, p.floats)
  let (_, places) = tiles.places(scratch, tiles.forwardNeeds, threads: pool.threads)
  let set = pool.kernels.table
  let (nk, block) = (tiles.keys, tiles.blockRows(of: tiles.queries / heads, threads: pool.threads))

  pool.run((tiles.queries + block - 1) / block) { index, thread in
    let place = places[thread]
    let strip = place.strips[0]
    let rows = index * block..<min(tiles.queries, (index + 1) * block)
    (output + rows.lowerBound * nk).update(repeating: 0, count: rows.count * nk)
    for head in 0..<heads {
      for first in stride(from: 0, to: nk, by: tiles.tileRows) {
        let tile = first..<min(nk, first + tiles.tileRows)
        tiles.packColumns(keys, rows: tile, head: head, into: place.panels[0], set)
        for r in stride(from: rows.lowerBound, to: rows.upperBound, by: pool.kernels.tile.rows) {
          let few = r..<min(rows.upperBound, r + pool.kernels.tile.rows)
          tiles.scores(
            queries, rows: few, head: head, panels: place.panels[0], count: tile.count, into: strip, place,
            pool.kernels)
          for (i, row) in few.enumerated() {
            var logSum = logSums[head * tiles.queries + row] * AttentionTiles.log2e
            let (scores, y) = (strip + i * tiles.tileRows, output + row * nk + first)
            set.pointee.probability_row(tile.count, tiles.scale, &logSum, 0, scores)
            add_rows(tile.count, y, scores, y)
          }
        }
      }
    }
    let y = output + rows.lowerBound * nk
    scale_row(rows.count * nk, y, 1 / Float(heads), y)
  }
}

package func attentionProbabilitiesScratchBytes(q: TensorType, k: TensorType, heads: Int, threads: Int) -> Int
{
  attentionScratchBytes(q: q, k: k, heads: heads, threads: threads)
}

extension AttentionTiles {
  /// Tiles of keys and values, one strip of scores, and two floats of state per query.
  fileprivate var forwardNeeds: Needs { Needs(panels: [scorePanels, sumPanels], strips: 1) }

  /// One past the last key that any of these queries sees.
  func lastKey(of rows: Range<Int>) -> Int { isCausal ? min(keys, rows.upperBound) : keys }

  /// How many keys of a tile query `row` sees.
  func visible(_ tile: Range<Int>, _ row: Int) -> Int {
    isCausal ? min(tile.count, max(0, row + 1 - tile.lowerBound)) : tile.count
  }
}
