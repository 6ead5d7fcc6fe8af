import CKernels
import Tensors

/// Shapes and tile sizes of one attention on bytes, and its packed keys and values.
struct Int8AttentionTiles {
  let queries: Int, keys: Int, channels: Int, heads: Int, size: Int

  init(q: [Int], k: [Int], heads: Int) {
    precondition(
      q.count == 2 && k.count == 2 && q[1] == k[1] && heads > 0 && q[1] % heads == 0 && k[0] > 0,
      "int8Attention: queries \(q), keys \(k), \(heads) heads")
    (queries, keys, channels, self.heads) = (q[0], k[0], q[1], heads)
    size = channels / heads
  }

  /// Keys of a tile: scores and probabilities of 32 queries fill 36 KiB, which is for the nearest cache.
  static let tileKeys = 192
  /// Queries that pass over a tile one after the other while it is near.
  static let groupColumns = 128

  var count: Int { (keys + Self.tileKeys - 1) / Self.tileKeys }
  func keys(of tile: Int) -> Range<Int> {
    tile * Self.tileKeys..<min(keys, (tile + 1) * Self.tileKeys)
  }
  /// Keys of the longest tile, as `weigh_values` counts them.
  var longest: Int { (min(keys, Self.tileKeys) + 3) / 4 * 4 }

  /// Queries of one item of work; rows do not meet in any sum.
  var groupRows: Int { min(Self.groupColumns, max(queries, 1)) }
  private var groupPanels: Int { TileLimits.panels(groupRows) }

  /// Bytes of a row of q or k.
  var depth: Int { (size + 3) / 4 * 4 }
  var queryPanelBytes: Int { int8TapBytes(channels: size) }
  /// What `softmax_panel` counts scores in: 2048 steps for an octave.
  var stepsPerUnit: Float { 2048 * AttentionTiles.log2e / Float(size).squareRoot() }

  /// Keys and values of all heads as bytes, written once and read by all threads.
  struct Packed {
    let tiles: Int8AttentionTiles
    private let keyRows: UnsafeMutablePointer<UInt8>, keyFactors: UnsafeMutablePointer<Float>
    private let valueRows: UnsafeMutablePointer<UInt8>, valueFactors: UnsafeMutablePointer<Float>
    /// 0, or NaN if the tile has a key that is not finite.
    private let checks: UnsafeMutablePointer<Float>

    static func pieces(_ tiles: Int8AttentionTiles) -> [Int] {
      let rows = tiles.heads * tiles.keys
      return [
        rows * tiles.depth, rows * 4, tiles.heads * tiles.count * tiles.valueBytes,
        tiles.heads * tiles.count * tiles.size * 4, tiles.heads * tiles.count * 4,
      ]
    }

    init(_ tiles: Int8AttentionTiles, _ cursor: inout ScratchCursor) {
      self.tiles = tiles
      let rows = tiles.heads * tiles.keys
      keyRows = cursor.take(rows * tiles.depth, of: UInt8.self)
      keyFactors = cursor.take(rows, of: Float.self)
      valueRows = cursor.take(tiles.heads * tiles.count * tiles.valueBytes, of: UInt8.self)
      valueFactors = cursor.take(tiles.heads * tiles.count * tiles.size, of: Float.self)
      checks = cursor.take(tiles.heads * tiles.count, of: Float.self)
    }

    func keyBytes(_ head: Int, _ key: Int) -> UnsafePointer<UInt8> {
      UnsafePointer(keyRows + (head * tiles.keys + key) * tiles.depth)
    }
    func keyScales(_ head: Int, _ key: Int) -> UnsafePointer<Float> {
      UnsafePointer(keyFactors + head * tiles.keys + key)
    }
    /// Rows of channels, each of the tile's keys padded to 4.
    func values(_ head: Int, _ tile: Int) -> (rows: UnsafeRawPointer, scales: UnsafePointer<Float>) {
      let index = head * tiles.count + tile
      return (
        UnsafeRawPointer(valueRows + index * tiles.valueBytes),
        UnsafePointer(valueFactors + index * tiles.size)
      )
    }
    func check(_ head: Int) -> Float {
      (0..<tiles.count).reduce(0) { $0 + checks[head * tiles.count + $1] }
    }

    /// Keys of a tile less the mean of at most 64 of the head's, evenly spread.
    func pack(_ k: UnsafePointer<Float>, head: Int, tile: Int, _ place: Place, _ kernels: KernelSet) {
      let (set, d, c) = (kernels.table, tiles.size, tiles.channels)
      let (center, keys) = (place.center, tiles.keys(of: tile))
      let samples = min(64, tiles.keys)
      center.update(repeating: 0, count: d)
      for i in 0..<samples { add_rows(d, center, k + i * tiles.keys / samples * c + head * d, center) }
      scale_row(d, center, -1 / Float(samples), center)
      let index = head * tiles.keys + keys.lowerBound
      set.pointee.pack_keys(
        keys.count, d, k + keys.lowerBound * c + head * d, c, center, set.pointee.s8_zero,
        keyRows + index * tiles.depth, keyFactors + index)
      checks[head * tiles.count + tile] = (0..<keys.count).reduce(0) { $0 + keyFactors[index + $1] * 0 }
    }

    /// Values of a tile turned on their side, a channel's keys with one scale.
    func pack(values v: UnsafePointer<Float>, head: Int, tile: Int, _ place: Place, _ kernels: KernelSet) {
      let (set, d, c) = (kernels.table, tiles.size, tiles.channels)
      let keys = tiles.keys(of: tile)
      let (padded, stride) = ((keys.count + 3) / 4 * 4, Int8AttentionTiles.tileKeys)
      let from = v + keys.lowerBound * c + head * d
      let index = head * tiles.count + tile
      let bytes = valueRows + index * tiles.valueBytes
      let wide = set.pointee.value_bytes == 2
      for first in Swift.stride(from: 0, to: d, by: 16) {
        let block = min(16, d - first)
        for key in Swift.stride(from: 0, to: keys.count, by: 16) {
          let few = min(16, keys.count - key)
          if block == 16 && few == 16 {
            set.pointee.transpose_16x16(from + key * c + first, c, place.turned + key, stride)
          } else {
            for i in 0..<few {
              for j in 0..<block { place.turned[j * stride + key + i] = from[(key + i) * c + first + j] }
            }
          }
        }
        for j in 0..<block {
          let channel = first + j
          let to = bytes + channel * padded * (wide ? 2 : 1)
          let narrow = wide ? place.narrow : to
          valueFactors[index * d + channel] = set.pointee.quantize_row(
            keys.count, place.turned + j * stride, 0, narrow)
          if wide {
            widen_s8(padded, narrow, UnsafeMutableRawPointer(to).assumingMemoryBound(to: Int16.self))
          }
        }
      }
    }
  }

  /// Bytes of one head's values of a tile, 16 bits each: some sets want as many.
  private var valueBytes: Int { size * longest * 2 }

  /// Scratch of one thread.
  struct Place {
    /// A head's keys of the tile, by address.
    let addresses: UnsafeMutablePointer<UnsafePointer<UInt8>>
    /// Of the queries of a group: their panels, the slopes of `softmax_panel`, (maximum, sum), and sums of values.
    let queries: UnsafeMutablePointer<Int8>
    let slopes: UnsafeMutablePointer<Float>, state: UnsafeMutablePointer<Float>
    let sums: UnsafeMutablePointer<Float>
    /// Of the queries of a tile of `gemm_s8`.
    let scores: UnsafeMutablePointer<Float>, factors: UnsafeMutablePointer<Float>
    let probabilities: UnsafeMutablePointer<UInt8>
    /// While something is packed: the mean of keys, 16 channels of a tile, and the bytes of one.
    let center: UnsafeMutablePointer<Float>
    let turned: UnsafeMutablePointer<Float>, narrow: UnsafeMutablePointer<UInt8>

    static func pieces(_ tiles: Int8AttentionTiles) -> [Int] {
      let columns = groupColumns
      return [
        tiles.longest * 8, TileLimits.panels(columns) * tiles.queryPanelBytes, columns * 4, columns * 8,
        tiles.size * columns * 4,
        tiles.longest * TileLimits.columns * 4, TileLimits.columns * 4,
        tiles.longest * TileLimits.columns * 2,
        tiles.size * 4,
        16 * tileKeys * 4, tiles.longest,
      ]
    }

    init(_ tiles: Int8AttentionTiles, _ cursor: inout ScratchCursor) {
      let columns = groupColumns
      addresses = cursor.take(tiles.longest, of: UnsafePointer<UInt8>.self)
      queries = cursor.take(TileLimits.panels(columns) * tiles.queryPanelBytes, of: Int8.self)
      slopes = cursor.take(columns, of: Float.self)
      state = cursor.take(2 * columns, of: Float.self)
      sums = cursor.take(tiles.size * columns, of: Float.self)
      scores = cursor.take(tiles.longest * TileLimits.columns, of: Float.self)
      factors = cursor.take(TileLimits.columns, of: Float.self)
      probabilities = cursor.take(tiles.longest * TileLimits.columns * 2, of: UInt8.self)
      center = cursor.take(tiles.size, of: Float.self)
      turned = cursor.take(16 * tileKeys, of: Float.self)
      narrow = cursor.take(tiles.longest, of: UInt8.self)
    }
  }
}
