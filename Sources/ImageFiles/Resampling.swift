import Tensors

extension Picture {
  /// The picture at another size, by the cubic of Catmull and Rom (1974), stretched over more pixels where
  /// the picture shrinks so that nothing aliases.
  ///
  /// Integer arithmetic: the same bits on every machine. A picture of one colour keeps it, the same size
  /// gives the same picture. Memory beyond the result: as many rows of the new width as the cubic covers.
  public func resized(width newWidth: Int, height newHeight: Int) -> Picture {
    precondition(newWidth > 0 && newHeight > 0)
    if newWidth == width && newHeight == height { return self }
    let columns = CubicWeights(from: width, to: newWidth)
    let rows = CubicWeights(from: height, to: newHeight)
    var result: [UInt8] = []
    result.reserveCapacity(newWidth * newHeight * 3)
    var window = RowWindow(rowLength: newWidth * 3, capacity: rows.taps)
    for y in 0..<newHeight {
      while window.nextRow < rows.first[y] + rows.taps { window.append(from: self, columns) }
      window.combine(rows, for: y, into: &result)
    }
    return Picture(width: newWidth, height: newHeight, pixels: result)
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
    taps = min(source, Int((2 * reach).rounded(.up)))
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

  mutating func append(from picture: Picture, _ columns: CubicWeights) {
    let base = nextRow * picture.width * 3
    var target = nextRow % capacity * rowLength
    for x in columns.first.indices {
      var (r, g, b) = (Int32(128), Int32(128), Int32(128))
      var source = base + columns.first[x] * 3
      for weight in columns.weights[x * columns.taps..<(x + 1) * columns.taps] {
        r &+= weight &* Int32(picture.pixels[source])
        g &+= weight &* Int32(picture.pixels[source + 1])
        b &+= weight &* Int32(picture.pixels[source + 2])
        source += 3
      }
      samples[target] = r >> 8
      samples[target + 1] = g >> 8
      samples[target + 2] = b >> 8
      target += 3
    }
    nextRow += 1
  }

  mutating func combine(_ rows: CubicWeights, for y: Int, into pixels: inout [UInt8]) {
    for i in sums.indices { sums[i] = 1 << 19 }
    for tap in 0..<rows.taps {
      let weight = rows.weights[y * rows.taps + tap]
      let start = (rows.first[y] + tap) % capacity * rowLength
      for i in 0..<rowLength { sums[i] &+= weight &* samples[start + i] }
    }
    for sum in sums { pixels.append(UInt8(min(max(sum >> 20, 0), 255))) }
  }
}
