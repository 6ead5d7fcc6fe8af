import Tensors

/// Rows of a grid whose elements are the means over the areas that they cover in another grid.
///
/// In units of 1/(source·target) of a side, source cells are `target` and target cells `source` units wide, so every
/// overlap is an integer and sums of bytes are exact. One row of the source is in memory.
struct AreaMeans {
  private let columns: Overlaps
  private let rows: Overlaps
  private let cell: Double
  /// The source's current row, and its sums over the columns of each target cell.
  private var line: [Double]
  private var sums: [Double]
  private var nextRow = 0
  private var y = 0

  init(from source: Extent, to target: Extent) {
    columns = Overlaps(from: source.width, to: target.width)
    rows = Overlaps(from: source.height, to: target.height)
    cell = Double(source.height * source.width)
    line = [Double](repeating: 0, count: source.width)
    sums = [Double](repeating: 0, count: target.width)
  }

  static func bytes(from source: Extent, to target: Extent) -> Int {
    Overlaps.bytes(from: source.width, to: target.width)
      + Overlaps.bytes(from: source.height, to: target.height)
      + MemoryLayout<Double>.size * (source.width + target.width)
  }

  /// - Parameter read: fills the source's next row. After the last new row the last old one has been read.
  mutating func next(into means: inout [Double], _ read: (inout [Double]) throws -> Void) rethrows {
    for i in means.indices { means[i] = 0 }
    for part in rows.parts(of: y) {
      while nextRow <= rows.cell[part] {
        try read(&line)
        nextRow += 1
        for x in sums.indices {
          var sum = 0.0
          for part in columns.parts(of: x) { sum += columns.length[part] * line[columns.cell[part]] }
          sums[x] = sum
        }
      }
      for x in sums.indices { means[x] += rows.length[part] * sums[x] }
    }
    for i in means.indices { means[i] /= cell }
    y += 1
  }
}

/// For each target cell of one axis the source cells under it, with the length of each overlap.
private struct Overlaps {
  private(set) var cell: [Int] = []
  private(set) var length: [Double] = []
  private var start = [0]

  init(from source: Int, to target: Int) {
    for i in 0..<target {
      let (low, high) = (i * source, (i + 1) * source)
      for c in low / target...(high - 1) / target {
        cell.append(c)
        length.append(Double(min(high, (c + 1) * target) - max(low, c * target)))
      }
      start.append(cell.count)
    }
  }

  func parts(of i: Int) -> Range<Int> { start[i]..<start[i + 1] }

  /// A target cell shares at most one source cell with the next. Lists grow by doubling.
  static func bytes(from source: Int, to target: Int) -> Int { 2 * 16 * (source + target) + 2 * 8 * target }
}

extension MaskPicture {
  /// The mean over the area of each new pixel, divided by 255; exact up to the rounding of the result.
  public func areaAverage(height newHeight: Int, width newWidth: Int) -> Mask {
    var y = 0
    return areaMeans(from: extent, to: Extent(width: newWidth, height: newHeight)) { line in
      for x in line.indices { line[x] = Double(pixels[y * width + x]) }
      y += 1
    } value: {
      Float($0 / 255)
    }
  }
}

extension Mask {
  /// The mean over the area of each new element.
  public func areaAverage(height newHeight: Int, width newWidth: Int) -> Mask {
    let extent = Extent(width: width, height: height)
    var y = 0
    return areaMeans(from: extent, to: Extent(width: newWidth, height: newHeight)) { line in
      for x in line.indices { line[x] = Double(values[y * width + x]) }
      y += 1
    } value: {
      Float($0)
    }
  }
}

private func areaMeans(
  from source: Extent, to target: Extent, _ read: (inout [Double]) -> Void, value: (Double) -> Float
) -> Mask {
  var means = AreaMeans(from: source, to: target)
  var row = [Double](repeating: 0, count: target.width)
  var values: [Float] = []
  values.reserveCapacity(target.height * target.width)
  for _ in 0..<target.height {
    means.next(into: &row, read)
    for mean in row { values.append(value(mean)) }
  }
  return Mask(height: target.height, width: target.width, values: values)
}
