import CKernels
import Tensors

/// Quantized rows reached through pointers times an int8 weight, tap by tap: the loop under int8 linear
/// layers and convolutions.
///
///     y[r][n] = bias[n] + scale[n]·Σ_tap Σ_p s(tap, p, r)·float(Σ_k q(tap, p, r)[k]·B(tap)[k][n])
///
/// with the planes p of rows of 16 bits. The inner sums are exact integers and the outer ones run over taps and planes in
/// one order, so neither the cut nor the kernel set changes a bit. Work is cut into row blocks × column chunks; partial
/// sums over taps lie in y, or beside it where an epilogue follows: y may then be what is added. Behind a gate (GEGLU)
/// y has half the columns of the product, [rows][F] = a·gelu(b) of its [rows][a | b].
struct Int8Product {
  /// Rows and columns of the product, taps, and bytes per tap, plane and row, a multiple of 4.
  var rows: Int, columns: Int, taps: Int, planes = 1, depth: Int
  var isGated = false

  /// Writes addresses and scales of the rows `q(tap, plane, r)` for a range of r; a scale of 0 makes a row zero,
  /// wherever its address points.
  typealias Sources = (
    _ tap: Int, _ plane: Int, _ rows: Range<Int>, _ addresses: UnsafeMutablePointer<UnsafePointer<UInt8>>,
    _ scales: UnsafeMutablePointer<Float>
  ) -> Void

  /// Longest sum that 32 bits hold: 2^17·127² < 2^31.
  static let deepest = 1 << 17
  private static let widestTile = 32

  /// Rows that pass over the same panels before the next columns are read: a quarter of a megabyte of
  /// bytes at most, for the second-level cache; a multiple of every tile height.
  private var rowBlock: Int { min(384, max(96, 262_144 / max(planes * depth, 1))) / 12 * 12 }

  private var rowBlocks: Int { max(1, (rows + rowBlock - 1) / rowBlock) }
  /// Products of a row: with every tap's panel as often as there are planes.
  private var passes: Int { taps * planes }
  private var tableRows: Int { min(rowBlock, rows) * passes }

  /// Columns of y, and what is computed for each of them.
  private var outputs: Int { columns / halves }
  private var halves: Int { isGated ? 2 : 1 }

  /// Floats of an item's columns that wait for their epilogue, or for the other half.
  private func strip(_ epilogue: Bool) -> Int {
    epilogue || isGated ? halves * min(rowBlock, rows) * Self.widestTile : 0
  }

  /// - Parameter epilogue: whether there is one.
  func scratchBytes(threads: Int, epilogue: Bool = false) -> Int {
    ScratchCursor.bytes(
      [Self.widestTile * 4]
        + (0..<threads).flatMap { _ in
          [
            tableRows * MemoryLayout<UnsafePointer<UInt8>>.stride, tableRows * 4, strip(epilogue) * 4,
          ]
        })
  }

  func run(
    _ weight: Int8Weight, bias: UnsafePointer<Float>?, _ epilogue: Epilogue = .none,
    into y: UnsafeMutablePointer<Float>, scratch: UnsafeMutableRawPointer, _ pool: ThreadPool,
    sources: Sources
  ) {
    precondition(!isGated || epilogue.isNone && columns % 32 == 0, "\(columns) columns behind a gate")
    let epilogue = epilogue.checked(rows: rows, columns: outputs)
    precondition(
      depth % 4 == 0 && depth <= Self.deepest, "an int8 sum over \(depth), at most \(Self.deepest)")
    let kernels = pool.kernels.table
    let gemm = kernels.pointee.gemm_s8
    let tile = pool.kernels.int8Tile
    let panels = UnsafePointer(weight.panels.address.assumingMemoryBound(to: Int8.self))
    let scales = UnsafePointer(weight.scales.floats)
    let tapBytes = int8TapBytes(channels: depth)
    let groups = (outputs + tile.columns - 1) / tile.columns
    let rowBlocks = rowBlocks
    let block = (rows + rowBlocks * 12 - 1) / (rowBlocks * 12) * 12
    // Several items per thread, so that a thread that was interrupted does not hold up the others.
    let chunks = min(groups, pool.threads == 1 ? 1 : (8 * pool.threads + rowBlocks - 1) / rowBlocks)

    var cursor = ScratchCursor(scratch)
    let zeros = cursor.take(Self.widestTile, of: Float.self)
    zeros.update(repeating: 0, count: Self.widestTile)
    let tables = (0..<pool.threads).map { _ in
      (
        addresses: cursor.take(tableRows, of: UnsafePointer<UInt8>.self),
        scales: cursor.take(tableRows, of: Float.self),
        strip: cursor.take(strip(!epilogue.isNone), of: Float.self)
      )
    }

    pool.run(rowBlocks * chunks) { index, thread in
      let table = tables[thread]
      let range = (index / chunks * block)..<min(rows, (index / chunks + 1) * block)
      guard !range.isEmpty else { return }
      for pass in 0..<passes {
        let place = pass * range.count
        sources(pass / planes, pass % planes, range, table.addresses + place, table.scales + place)
      }

      let chunk = index % chunks
      for group in (groups * chunk / chunks)..<(groups * (chunk + 1) / chunks) {
        let column = group * tile.columns
        let n = min(tile.columns, outputs - column)
        // Sums over taps lie in y, or in the strip until they are complete.
        let (corner, stride) =
          epilogue.isNone && !isGated
          ? (y + range.lowerBound * columns + column, columns) : (table.strip, tile.columns)
        for half in 0..<halves {
          let first = half * outputs + column
          let sums = corner + half * range.count * stride
          for pass in 0..<passes {
            let b = panels + (first / 16 * taps + pass / planes) * tapBytes
            for r in Swift.stride(from: 0, to: range.count, by: tile.rows) {
              let (entry, m) = (pass * range.count + r, min(tile.rows, range.count - r))
              gemm(
                m, n, depth, table.addresses + entry, table.scales + entry, b, taps * tapBytes, pass == 0,
                pass == passes - 1, scales + first, bias.map { $0 + first } ?? UnsafePointer(zeros),
                sums + r * stride, stride)
              guard pass == passes - 1 else { continue }
              if isGated && half == 1 {
                gate(corner + r * stride, by: sums + r * stride, stride: stride, rows: m, count: n, kernels)
              }
              if isGated ? half == 1 : !epilogue.isNone {
                epilogue.finish(
                  corner + r * stride, stride: stride, rows: m, count: n, row: range.lowerBound + r,
                  column: column, into: y, kernels)
              }
            }
          }
        }
      }
    }
  }

  /// a·gelu(b) over a, of `rows` rows of `count` columns that lie `stride` floats apart.
  private func gate(
    _ a: UnsafeMutablePointer<Float>, by b: UnsafePointer<Float>, stride: Int, rows: Int, count: Int,
    _ kernels: UnsafePointer<kernel_set>
  ) {
    let geglu = kernels.pointee.geglu
    if count == stride {
      geglu(rows * count, a, b, a)
    } else {
      for i in 0..<rows { geglu(count, a + i * stride, b + i * stride, a + i * stride) }
    }
  }
}
