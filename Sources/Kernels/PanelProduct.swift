import CKernels
import Tensors

/// Rows reached through pointers times a matrix in panels, tap by tap: the loop under linear layers,
/// convolutions and their input gradients.
///
///     y[r][n] = bias[n] + Σ_tap Σ_k a(tap, r)[k]·B(tap)[k][n]
///
/// Work is cut into row blocks × column chunks. Within one item, for every group of columns, a block of
/// at most `depthBlock` panel rows is brought into scratch as floats and used for all rows of the item.
/// The sum runs over taps and k in one order, whatever the cut.
struct PanelProduct {
  /// Rows and columns of y, taps, and values per tap.
  var rows: Int, columns: Int, taps: Int, depth: Int

  /// Writes the addresses of the rows `a(tap, r)` for a range of r.
  typealias RowPointers = (_ tap: Int, _ rows: Range<Int>, _ into: RowTable) -> Void
  typealias RowTable = UnsafeMutablePointer<UnsafePointer<Float>>

  /// Brings rows `k` and the 16-column panels `panels` of B(tap) into scratch, or answers where they
  /// already are; `stride` floats from one panel to the next.
  typealias Panels = (
    _ tap: Int, _ k: Range<Int>, _ panels: Range<Int>, _ scratch: UnsafeMutablePointer<Float>
  ) -> (address: UnsafePointer<Float>, stride: Int)

  /// Rows of a panel that are wide awake at a time: two panels of floats are 32 KiB.
  static let depthBlock = 256
  private static let widestTile = TileLimits.columns

  /// Rows that share one widened block. More rows amortize the widening, fewer stay in the second-level
  /// cache (1 MiB of floats is aimed at); a multiple of every tile height.
  private var rowBlock: Int { min(384, max(96, 262_144 / max(depth, 1))) / TileLimits.rows * TileLimits.rows }

  private var rowBlocks: Int { max(1, (rows + rowBlock - 1) / rowBlock) }

  /// Floats of an item's columns that wait for their epilogue.
  private func strip(_ epilogue: Bool) -> Int { epilogue ? min(rowBlock, rows) * Self.widestTile : 0 }

  private func threadPieces(_ epilogue: Bool) -> [Int] {
    [
      min(rowBlock, rows) * taps * MemoryLayout<UnsafePointer<Float>>.stride,
      Self.depthBlock * Self.widestTile * 4 + 1024, strip(epilogue) * 4,
    ]
  }

  /// - Parameter epilogue: whether there is one.
  func scratchBytes(threads: Int, epilogue: Bool = false) -> Int {
    ScratchCursor.bytes([Self.widestTile * 4] + (0..<threads).flatMap { _ in threadPieces(epilogue) })
  }

  /// - Parameter continues: the sums start from what y holds.
  func run(
    into y: UnsafeMutablePointer<Float>, bias: UnsafePointer<Float>?, continues: Bool = false,
    _ epilogue: Epilogue = .none, scratch: UnsafeMutableRawPointer, _ pool: ThreadPool,
    rowPointers: RowPointers, panels: Panels
  ) {
    let epilogue = epilogue.checked(rows: rows, columns: columns)
    precondition(epilogue.isNone || !continues, "a product that continues and has an epilogue")
    let kernels = pool.kernels.table
    let gemm = kernels.pointee.gemm_f32
    let tile = pool.kernels.tile
    let groups = (columns + tile.columns - 1) / tile.columns
    let rowBlocks = rowBlocks
    let least = rowBlocks * TileLimits.rows
    let block = (rows + least - 1) / least * TileLimits.rows
    // Several items per thread, so that a thread that was interrupted does not hold up the others.
    let chunks = min(groups, pool.threads == 1 ? 1 : (8 * pool.threads + rowBlocks - 1) / rowBlocks)

    var cursor = ScratchCursor(scratch)
    let zeros = cursor.take(Self.widestTile, of: Float.self)
    zeros.update(repeating: 0, count: Self.widestTile)
    let places = (0..<pool.threads).map { _ in
      (
        rows: cursor.take(min(rowBlock, rows) * taps, of: UnsafePointer<Float>.self),
        panel: cursor.take(Self.depthBlock * Self.widestTile + 256, of: Float.self),
        strip: cursor.take(strip(!epilogue.isNone), of: Float.self)
      )
    }

    pool.run(rowBlocks * chunks) { index, thread in
      let (table, buffer, strip) = places[thread]
      let rowRange = (index / chunks * block)..<min(rows, (index / chunks + 1) * block)
      guard !rowRange.isEmpty else { return }
      for tap in 0..<taps { rowPointers(tap, rowRange, table + tap * rowRange.count) }

      let chunk = index % chunks
      for group in (groups * chunk / chunks)..<(groups * (chunk + 1) / chunks) {
        let column = group * tile.columns
        let n = min(tile.columns, columns - column)
        var start = continues ? nil : bias.map { $0 + column } ?? UnsafePointer(zeros)
        // Sums lie in y, or in the strip until they are complete.
        let (sums, stride) =
          epilogue.isNone ? (y + rowRange.lowerBound * columns + column, columns) : (strip, Self.widestTile)
        for tap in 0..<taps {
          for k in Swift.stride(from: 0, to: depth, by: Self.depthBlock) {
            let kEnd = min(depth, k + Self.depthBlock)
            let b = panels(
              tap, k..<kEnd, column / TileLimits.panelColumns..<TileLimits.panels(column + n), buffer)
            let isLast = tap == taps - 1 && kEnd == depth && !epilogue.isNone
            for r in Swift.stride(from: 0, to: rowRange.count, by: tile.rows) {
              let m = min(tile.rows, rowRange.count - r)
              gemm(
                m, n, kEnd - k, table + tap * rowRange.count + r, k, b.address, b.stride, start,
                sums + r * stride, stride)
              guard isLast else { continue }
              epilogue.finish(
                sums + r * stride, stride: stride, rows: m, count: n, row: rowRange.lowerBound + r,
                column: column, into: y, kernels)
            }
            start = nil
          }
        }
      }
    }
  }
}
