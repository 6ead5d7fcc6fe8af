import CKernels
import Platform
import Tensors

/// Shapes and tile sizes of one attention call, and the steps its passes share.
///
/// A *tile* is a run of at most `tileRows` rows of one head's keys (or queries) packed into panels; a
/// *strip* is as many rows as the GEMM tile is high. Scores of one strip and one tile are all that ever
/// exists of the score matrix. Tile sizes depend on the shapes alone. Work is cut into *blocks* of rows that
/// share packed tiles; rows do not meet in any sum, so blocks may depend on the number of threads.
struct AttentionTiles {
  let queries: Int, keys: Int, channels: Int, heads: Int, size: Int
  let isCausal: Bool
  /// log₂e/√size: scores in powers of two.
  let scale: Float

  static let log2e: Float = 1.442695041

  init(q: [Int], k: [Int], heads: Int, causal: Bool) {
    precondition(
      q.count == 2 && k.count == 2 && q[1] == k[1] && heads > 0 && q[1] % heads == 0,
      "attention: queries \(q), keys \(k), \(heads) heads")
    (queries, keys, channels, self.heads) = (q[0], k[0], q[1], heads)
    size = channels / heads
    isCausal = causal
    scale = Self.log2e / Float(size).squareRoot()
  }

  /// Rows per packed tile: a tile of keys and one of values should stay in the second-level cache.
  var tileRows: Int { min(256, max(32, 65_536 / size / TileLimits.columns * TileLimits.columns)) }

  /// Rows of the longest block.
  static let longestBlock = 768

  /// Rows per block: long, since packing is paid per block, but about four items for every thread.
  func blockRows(of rows: Int, threads: Int) -> Int {
    min(Self.longestBlock, max(48, rows * heads / (4 * threads) / TileLimits.rows * TileLimits.rows))
  }

  var widePanels: Int { TileLimits.panels(size) * TileLimits.panelColumns }

  /// Floats of one tile packed for scores (rows become columns) and for sums (rows stay rows).
  var scorePanels: Int { tileRows * size }
  var sumPanels: Int { tileRows * widePanels }
  var strip: Int { TileLimits.rows * tileRows }

  /// Packs rows `rows` of head `head` as panels with one column per row: `[rows/16][size][16]`, zeros beyond.
  ///
  func packColumns(
    _ x: UnsafePointer<Float>, rows: Range<Int>, head: Int, into panels: UnsafeMutablePointer<Float>,
    _ kernels: UnsafePointer<kernel_set>
  ) {
    for (p, first) in stride(from: rows.lowerBound, to: rows.upperBound, by: 16).enumerated() {
      let panel = panels + p * 16 * size
      let valid = min(16, rows.upperBound - first)
      let from = x + first * channels + head * size
      if valid == 16 && size >= 16 {
        for c in stride(from: 0, to: size, by: 16) {
          let c = min(c, size - 16)  // the last block may overlap its neighbour
          kernels.pointee.transpose_16x16(from + c, channels, panel + c * 16, 16)
        }
      } else {
        for c in 0..<size {
          for r in 0..<valid { panel[c * 16 + r] = from[r * channels + c] }
          for r in valid..<16 { panel[c * 16 + r] = 0 }
        }
      }
    }
  }

  /// Packs rows `rows` of head `head` as panels whose rows they are: `[widePanels/16][rows][16]`, zeros beyond.
  func packRows(
    _ x: UnsafePointer<Float>, rows: Range<Int>, head: Int, into panels: UnsafeMutablePointer<Float>
  ) {
    for c in stride(from: 0, to: size, by: 16) {
      let valid = min(16, size - c)
      var from = UnsafeRawPointer(x + rows.lowerBound * channels + head * size + c)
      var to = UnsafeMutableRawPointer(panels + c * rows.count)
      for _ in rows {
        if valid == 16 {
          to.storeBytes(of: from.loadUnaligned(as: SIMD16<Float>.self), as: SIMD16<Float>.self)
        } else {
          let (from, to) = (from.assumingMemoryBound(to: Float.self), to.assumingMemoryBound(to: Float.self))
          for j in 0..<valid { to[j] = from[j] }
          for j in valid..<16 { to[j] = 0 }
        }
        from += channels * 4
        to += 64
      }
    }
  }

  /// scores[i][j] = a[i] · tile row j, for the rows `rows` of x's head; `count` columns.
  func scores(
    _ x: UnsafePointer<Float>, rows: Range<Int>, head: Int, panels: UnsafePointer<Float>, count: Int,
    into scores: UnsafeMutablePointer<Float>, _ place: Place, _ kernels: KernelSet
  ) {
    let width = kernels.tile.columns
    for (i, row) in rows.enumerated() { place.table[i] = x + row * channels + head * size }
    for j in stride(from: 0, to: count, by: width) {
      kernels.table.pointee.gemm_f32(
        rows.count, min(width, count - j), size, place.table, 0, panels + j * size, 16 * size, place.zeros,
        scores + j, tileRows)
    }
  }

  /// y[i] = start + Σ_j weights[i][j]·tile row j; without `isFirst` y is the start. Rows of weights are a tile's length
  /// apart, or `stride`.
  func accumulate(
    _ weights: UnsafePointer<Float>, stride ld: Int? = nil, rows: Int, panels: UnsafePointer<Float>,
    count: Int, isFirst: Bool,
    into y: UnsafeMutablePointer<Float>, _ place: Place, _ kernels: KernelSet
  ) {
    let width = kernels.tile.columns
    for i in 0..<rows { place.table[i] = weights + i * (ld ?? tileRows) }
    for c in stride(from: 0, to: size, by: width) {
      kernels.table.pointee.gemm_f32(
        rows, min(width, size - c), count, place.table, 0, panels + c * count, 16 * count,
        isFirst ? UnsafePointer(place.zeros) : nil, y + c, channels)
    }
  }

  /// Scratch of one thread.
  struct Place {
    var table: UnsafeMutablePointer<UnsafePointer<Float>>
    var zeros: UnsafeMutablePointer<Float>
    var panels: [UnsafeMutablePointer<Float>], strips: [UnsafeMutablePointer<Float>]
    /// Two floats for every row of a block.
    var state: UnsafeMutablePointer<Float>
  }

  /// What a pass needs per thread: packed tiles by their floats, and strips.
  struct Needs {
    var panels: [Int], strips: Int
  }

  private func pieces(_ needs: Needs) -> [Int] {
    [TileLimits.rows * MemoryLayout<UnsafePointer<Float>>.stride, TileLimits.columns * 4]
      + needs.panels.map { $0 * 4 }
      + Array(repeating: strip * 4, count: needs.strips) + [Self.longestBlock * 8]
  }

  func scratchBytes(_ needs: Needs, threads: Int, shared: Int = 0) -> Int {
    ScratchCursor.bytes([shared * 4] + (0..<threads).flatMap { _ in pieces(needs) })
  }

  /// Cuts scratch into `shared` floats for all threads and a place for each.
  func places(
    _ scratch: UnsafeMutableRawPointer, _ needs: Needs, threads: Int, shared: Int = 0
  ) -> (shared: UnsafeMutablePointer<Float>, places: [Place]) {
    var cursor = ScratchCursor(scratch)
    let common = cursor.take(shared, of: Float.self)
    let places = (0..<threads).map { _ in
      Place(
        table: cursor.take(TileLimits.rows, of: UnsafePointer<Float>.self),
        zeros: cursor.take(TileLimits.columns, of: Float.self),
        panels: needs.panels.map { cursor.take($0, of: Float.self) },
        strips: (0..<needs.strips).map { _ in cursor.take(strip, of: Float.self) },
        state: cursor.take(Self.longestBlock * 2, of: Float.self))
    }
    for place in places { place.zeros.update(repeating: 0, count: TileLimits.columns) }
    return (common, places)
  }
}
