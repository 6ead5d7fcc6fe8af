import Tensors

extension Picture {
  /// The picture at another size, by the cubic of Catmull and Rom (1974), stretched over more pixels where
  /// the picture shrinks so that nothing aliases.
  ///
  /// Integer arithmetic: the same bits on every machine. A picture of one colour keeps it, the same size
  /// gives the same picture. Memory beyond the result: `ResizedRows.bytes`.
  public func resized(width newWidth: Int, height newHeight: Int) -> Picture {
    precondition(newWidth > 0 && newHeight > 0)
    if newWidth == width && newHeight == height { return self }
    let rows = ResizedRows(pass(), from: extent, to: Extent(width: newWidth, height: newHeight))
    return Picture(
      width: newWidth, height: newHeight,
      pixels: inMemory { try collect(rows, rows: newHeight, rowBytes: 3 * newWidth) })
  }
}

/// The rows of a picture at another size, of which only as many are in memory as the cubic covers.
final class ResizedRows: RowPass {
  private let source: any RowPass
  private let columns: CubicWeights
  private let rows: CubicWeights
  private var window: RowWindow
  /// A row of the source.
  private var line: [UInt8]
  private var y = 0

  init(_ source: any RowPass, from: Extent, to: Extent) {
    self.source = source
    columns = CubicWeights(from: from.width, to: to.width)
    rows = CubicWeights(from: from.height, to: to.height)
    window = RowWindow(rowLength: 3 * to.width, capacity: rows.taps)
    line = [UInt8](repeating: 0, count: 3 * from.width)
  }

  /// What it holds beside its source: weights, the window, one row.
  static func bytes(from: Extent, to: Extent) -> Int {
    CubicWeights.bytes(from: from.width, to: to.width) + CubicWeights.bytes(from: from.height, to: to.height)
      + RowWindow.bytes(
        rowLength: 3 * to.width, capacity: CubicWeights.taps(from: from.height, to: to.height))
      + 3 * from.width
  }

  /// Reads every row of the source: the last new row covers the last old one.
  func next(into row: UnsafeMutableBufferPointer<UInt8>) throws {
    while window.nextRow < rows.first[y] + rows.taps {
      try line.withUnsafeMutableBufferPointer { try source.next(into: $0) }
      window.append(line, columns)
    }
    window.combine(rows, for: y, into: row)
    y += 1
  }
}

/// For each new pixel of one axis the old ones it is made of.
private struct CubicWeights {
  /// Weights per new pixel.
  let taps: Int
  /// The first old pixel of each new one; `first + taps` never exceeds the old size.
  private(set) var first: [Int] = []
  /// `[new, taps]`, integers in units of 2⁻¹⁴ that sum to 2¹⁴ exactly for each new pixel.
  private(set) var weights: [Int32] = []

  init(from source: Int, to target: Int) {
    let scale = Double(source) / Double(target)
    let stretch = max(1, scale)
    let reach = 2 * stretch
    taps = Self.taps(from: source, to: target)
    first.reserveCapacity(target)
    weights.reserveCapacity(target * taps)
    for i in 0..<target {
      let centre = (Double(i) + 0.5) * scale
      let start = min(max(0, Int(centre - reach + 0.5)), source - taps)
      let values = (0..<taps).map { catmullRom((Double(start + $0) + 0.5 - centre) / stretch) }
      let sum = values.reduce(0, +)
      // Rounding the running sum instead of each weight lets no error pile up over thousands of taps.
      var (running, rounded) = (0.0, Int32(0))
      first.append(start)
      for value in values {
        running += value
        let next = Int32((running / sum * 16_384).rounded())
        weights.append(next - rounded)
        rounded = next
      }
    }
  }

  static func taps(from source: Int, to target: Int) -> Int {
    min(source, Int((4 * max(1, Double(source) / Double(target))).rounded(.up)))
  }

  static func bytes(from source: Int, to target: Int) -> Int {
    target * (MemoryLayout<Int>.size + 4 * taps(from: source, to: target))
  }
}

/// The cubic through its samples: 1 at 0, 0 at every other integer and from 2 on.
private func catmullRom(_ offset: Double) -> Double {
  let x = abs(offset)
  if x < 1 { return (1.5 * x - 2.5) * x * x + 1 }
  if x < 2 { return ((-0.5 * x + 2.5) * x - 4) * x + 2 }
  return 0
}

/// The last few rows of a picture, resampled along x and waiting to be combined along y.
///
/// Samples are in units of 2⁻⁶ levels. Absolute weights of one pixel sum to less than 1.5·2¹⁴, so samples
/// stay below 255·1.5·2⁶ < 2¹⁵ and sums over rows below 2¹⁵·1.5·2¹⁴ < 2³⁰: 32 bits hold everything.
private struct RowWindow {
  private let rowLength: Int
  private let capacity: Int
  private(set) var nextRow = 0
  /// Row r of the picture lies at `r % capacity`.
  private var samples: [Int32]
  private var sums: [Int32]

  init(rowLength: Int, capacity: Int) {
    self.rowLength = rowLength
    self.capacity = capacity
    samples = Array(repeating: 0, count: rowLength * capacity)
    sums = Array(repeating: 0, count: rowLength)
  }

  static func bytes(rowLength: Int, capacity: Int) -> Int { 4 * rowLength * (capacity + 1) }

  mutating func append(_ row: [UInt8], _ columns: CubicWeights) {
    var target = nextRow % capacity * rowLength
    for x in columns.first.indices {
      var (r, g, b) = (Int32(128), Int32(128), Int32(128))
      var source = columns.first[x] * 3
      for weight in columns.weights[x * columns.taps..<(x + 1) * columns.taps] {
        r &+= weight &* Int32(row[source])
        g &+= weight &* Int32(row[source + 1])
        b &+= weight &* Int32(row[source + 2])
        source += 3
      }
      samples[target] = r >> 8
      samples[target + 1] = g >> 8
      samples[target + 2] = b >> 8
      target += 3
    }
    nextRow += 1
  }

  mutating func combine(_ rows: CubicWeights, for y: Int, into row: UnsafeMutableBufferPointer<UInt8>) {
    for i in sums.indices { sums[i] = 1 << 19 }
    for tap in 0..<rows.taps {
      let weight = rows.weights[y * rows.taps + tap]
      let start = (rows.first[y] + tap) % capacity * rowLength
      for i in 0..<rowLength { sums[i] &+= weight &* samples[start + i] }
    }
    for i in sums.indices { row[i] = UInt8(min(max(sums[i] >> 20, 0), 255)) }
  }
}
