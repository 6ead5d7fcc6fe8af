import CKernels
import Tensors

/// Attention on bytes: o ≈ softmax(q·kᵀ/√d)·v for every head of d = C/heads channels.
///
/// - Parameters:
///   - q: `[Tq, C]`
///   - k, v: `[Tk, C]`
///   - o: `[Tq, C]`
///
/// Rows of q and of k − c are bytes with a scale each; c is a mean of some keys of the head, since what all keys have in
/// common changes no probability (SageAttention, Zhang et al. 2024). Probabilities are whole numbers of 14 bits, values
/// bytes with a scale for every channel and tile of keys. Both products sum integers, in tiles of keys that depend on
/// nothing, and no float step is fused: all kernel sets and any number of threads give the same bits. A NaN or an
/// infinity in a query makes that row of its head NaN, one in a key the whole head, one in a value its channel.
///
/// Everything lies on its side: scores are `[keys, queries]` and sums `[channels, queries]`, so that maxima and sums of
/// softmax run down columns, keys and values are the rows of `gemm_s8` and `weigh_values`, packed once for all queries,
/// and 40 channels are not padded to 48.
package func int8Attention(
  _ q: TensorRef, k: TensorRef, v: TensorRef, heads: Int, into o: TensorRef,
  scratch: UnsafeMutableRawPointer, _ pool: ThreadPool
) {
  let tiles = Int8AttentionTiles(q: q.shape, k: k.shape, heads: heads)
  precondition(
    k.shape == v.shape && q.shape == o.shape,
    "int8Attention: \(q.shape), \(k.shape), \(v.shape) into \(o.shape)")
  let (queries, keys, values, output) = (q.floats, k.floats, v.floats, o.floats)
  var cursor = ScratchCursor(scratch)
  let packed = Int8AttentionTiles.Packed(tiles, &cursor)
  let places = (0..<pool.threads).map { _ in Int8AttentionTiles.Place(tiles, &cursor) }

  pool.run(heads * tiles.count) { index, thread in
    let (head, tile) = (index / tiles.count, index % tiles.count)
    packed.pack(keys, head: head, tile: tile, places[thread], pool.kernels)
    packed.pack(values: values, head: head, tile: tile, places[thread], pool.kernels)
  }
  let groups = (tiles.queries + tiles.groupRows - 1) / tiles.groupRows
  pool.run(heads * groups) { index, thread in
    let (head, first) = (index / groups, index % groups * tiles.groupRows)
    let rows = first..<min(tiles.queries, first + tiles.groupRows)
    Int8AttentionGroup(packed, head: head, rows, places[thread], pool.kernels)
      .attend(queries, into: output)
  }
}

package func int8AttentionScratchBytes(q: TensorType, k: TensorType, heads: Int, threads: Int) -> Int {
  let tiles = Int8AttentionTiles(q: q.shape, k: k.shape, heads: heads)
  return ScratchCursor.bytes(
    Int8AttentionTiles.Packed.pieces(tiles)
      + (0..<threads).flatMap { _ in Int8AttentionTiles.Place.pieces(tiles) })
}

/// Some queries of one head, on one thread.
private struct Int8AttentionGroup {
  let packed: Int8AttentionTiles.Packed, head: Int, rows: Range<Int>, place: Int8AttentionTiles.Place
  let kernels: KernelSet

  init(
    _ packed: Int8AttentionTiles.Packed, head: Int, _ rows: Range<Int>, _ place: Int8AttentionTiles.Place,
    _ kernels: KernelSet
  ) {
    (self.packed, self.head, self.rows, self.place, self.kernels) = (packed, head, rows, place, kernels)
  }

  private var tiles: Int8AttentionTiles { packed.tiles }
  /// Columns that a tile of `gemm_s8` has, and those of this group in whole panels of 16.
  private var width: Int { kernels.int8Tile.columns }
  private var panels: Int { TileLimits.panels(rows.count) }

  func attend(_ q: UnsafePointer<Float>, into o: UnsafeMutablePointer<Float>) {
    packQueries(q)
    for tile in 0..<tiles.count {
      let keys = tiles.keys(of: tile)
      let bytes = packed.keyBytes(head, keys.lowerBound)
      for i in 0..<keys.count { place.addresses[i] = bytes + i * tiles.depth }
      for column in stride(from: 0, to: panels * 16, by: width) {
        add(keys, tile, columns: column..<min(panels * 16, column + width))
      }
    }
    for panel in 0..<panels { finish(panel, into: o) }
  }

  /// What a tile of keys adds to the sums of some queries.
  private func add(_ keys: Range<Int>, _ tile: Int, columns: Range<Int>) {
    let (set, n) = (kernels.table, columns.count)
    let (queryBytes, height) = (tiles.queryPanelBytes, kernels.int8Tile.rows)
    let (scales, queries) = (
      packed.keyScales(head, keys.lowerBound),
      UnsafePointer(place.queries + columns.lowerBound / TileLimits.panelColumns * queryBytes)
    )
    for i in stride(from: 0, to: keys.count, by: height) {
      set.pointee.gemm_s8(
        min(height, keys.count - i), n, tiles.depth, place.addresses + i, scales + i, queries, queryBytes,
        true, false, place.slopes, place.slopes, place.scores + i * n, n)
    }
    let padded = (keys.count + 3) / 4 * 4
    for j in stride(from: 0, to: n, by: 16) {
      let column = columns.lowerBound + j
      set.pointee.softmax_panel(
        keys.count, place.scores + j, n, place.slopes + column, place.state + 2 * column,
        place.factors + j, place.probabilities + j * 2 * padded)
    }
    let values = packed.values(head, tile)
    set.pointee.weigh_values(
      tiles.size, n, padded, values.rows, padded * Int(set.pointee.value_bytes), values.scales,
      place.probabilities, padded * 32, tile == 0 ? nil : UnsafePointer(place.factors),
      sums(columns.lowerBound), width)
  }

  /// Queries become the panels that `gemm_s8` multiplies rows by, and slopes 2048·log₂e/√d·scale.
  private func packQueries(_ q: UnsafePointer<Float>) {
    for panel in 0..<panels {
      let first = rows.lowerBound + panel * 16
      let (slopes, state) = (place.slopes + panel * 16, place.state + panel * 32)
      kernels.table.pointee.pack_queries(
        min(16, rows.upperBound - first), tiles.size, q + first * tiles.channels + head * tiles.size,
        tiles.channels, slopes, place.queries + panel * tiles.queryPanelBytes)
      scale_row(16, slopes, tiles.stepsPerUnit, slopes)
      state.update(repeating: -.infinity, count: 16)
      (state + 16).update(repeating: 0, count: 16)
    }
  }

  /// Divides the sums of 16 queries by theirs and turns them into rows of o.
  private func finish(_ panel: Int, into o: UnsafeMutablePointer<Float>) {
    let (state, column) = (place.state + panel * 32, panel * 16)
    let check = packed.check(head)
    for r in 0..<16 {
      // What is not finite in a query, a key or a score leaves NaN.
      let lost = (place.slopes[column + r] + state[r]) * 0 + check
      place.factors[r] = 1 / state[16 + r] + lost
    }
    let first = rows.lowerBound + column
    kernels.table.pointee.finish_queries(
      min(16, rows.upperBound - first), tiles.size, sums(column), width, place.factors,
      o + first * tiles.channels + head * tiles.size, tiles.channels)
  }

  /// The sums of a tile of `gemm_s8` lie together, `[channels, width]`.
  private func sums(_ column: Int) -> UnsafeMutablePointer<Float> {
    place.sums + column / width * width * tiles.size + column % width
  }
}
