import Tensors

extension Mask {
  /// The mask with soft edges, by three box blurs along each axis, close to a Gaussian of σ ≈ radius/3.
  ///
  /// - Parameter radius: pixels. What lies farther than this (along both axes) from any change of the mask
  ///   keeps its value exactly; the same holds everywhere for radius 0.
  public func feathered(radius: Int) -> Mask {
    precondition(radius >= 0)
    guard radius > 0 else { return self }
    let rows = FeatheredRows(MaskCoverage(self), Extent(width: width, height: height), radius: radius)
    var result = self
    var line = [Float](repeating: 0, count: width)
    for y in 0..<height {
      inMemory { try rows.next(into: &line) }
      result.values.replaceSubrange(y * width..<(y + 1) * width, with: line)
    }
    return result
  }
}

private final class MaskCoverage: CoverageRows {
  private let mask: Mask
  private var y = 0

  init(_ mask: Mask) { self.mask = mask }

  func next(into row: inout [Float]) {
    for x in row.indices { row[x] = mask[y, x] }
    y += 1
  }
}

/// The rows of a mask with soft edges.
///
/// Values pass through integers in units of 2⁻⁴⁰, fine enough for every value of an 8-bit mask; their running sums
/// are exact, so that flat stretches stay flat. Memory: as many rows of integers as the boxes are high.
final class FeatheredRows: CoverageRows {
  private let source: any CoverageRows
  private let reaches: [Int]
  private let columns: [BoxColumns]
  private var line: [Float]
  private var units: [Int]

  init(_ source: any CoverageRows, _ extent: Extent, radius: Int) {
    self.source = source
    reaches = Self.reaches(radius)
    columns = reaches.map { BoxColumns(extent, reach: $0) }
    line = [Float](repeating: 0, count: extent.width)
    units = [Int](repeating: 0, count: extent.width)
  }

  static func bytes(_ extent: Extent, radius: Int) -> Int {
    let integers = MemoryLayout<Int>.size * extent.width
    return reaches(radius).reduce(4 * extent.width + 3 * integers) {
      $0 + BoxColumns.bytes(extent, reach: $1)
    }
  }

  /// The reaches of the three boxes sum to the radius.
  private static func reaches(_ radius: Int) -> [Int] {
    [radius / 3, (radius + 1) / 3, (radius + 2) / 3].filter { $0 > 0 }
  }

  func next(into row: inout [Float]) throws {
    try read(stage: columns.count, into: &units)
    for x in row.indices { row[x] = Float(units[x]) * 0x1p-40 }
  }

  /// The next row behind so many of the boxes.
  private func read(stage: Int, into row: inout [Int]) throws {
    guard stage == 0 else {
      return try columns[stage - 1].next(into: &row) { try read(stage: stage - 1, into: &$0) }
    }
    try source.next(into: &line)
    for x in row.indices { row[x] = Int(line[x] * 0x1p40) }
    // Most lines of most masks have one value.
    guard !row.allSatisfy({ $0 == row[0] }) else { return }
    for reach in reaches { row = boxBlurred(row, reach) }
    // As the value of a mask, which has 24 bits.
    for x in row.indices { row[x] = Int(Float(row[x]) * 0x1p-40 * 0x1p40) }
  }
}

/// Means over 2·reach + 1 elements, rounded; the ends of the line are repeated beyond it.
private func boxBlurred(_ line: [Int], _ reach: Int) -> [Int] {
  func element(_ i: Int) -> Int { line[min(max(i, 0), line.count - 1)] }
  let size = 2 * reach + 1
  var sum = (-reach...reach).reduce(0) { $0 + element($1) }
  return line.indices.map { i in
    defer { sum += element(i + reach + 1) - element(i - reach) }
    return (sum + reach) / size
  }
}

/// The same along columns: rows in, rows out, with the rows under the box in a ring.
private final class BoxColumns {
  private let width: Int
  private let height: Int
  private let reach: Int
  private let capacity: Int
  /// Row r lies at `r % capacity`.
  private var ring: [Int]
  private var sums: [Int]
  private var line: [Int]
  private var nextRow = 0
  private var y = 0

  init(_ extent: Extent, reach: Int) {
    (width, height, self.reach) = (extent.width, extent.height, reach)
    capacity = Self.rows(extent, reach)
    ring = [Int](repeating: 0, count: capacity * width)
    sums = [Int](repeating: 0, count: width)
    line = [Int](repeating: 0, count: width)
  }

  /// The box, and the row that comes under it while the first one leaves.
  private static func rows(_ extent: Extent, _ reach: Int) -> Int { min(2 * reach + 2, extent.height) }

  static func bytes(_ extent: Extent, reach: Int) -> Int {
    MemoryLayout<Int>.size * extent.width * (rows(extent, reach) + 2)
  }

  func next(into row: inout [Int], _ read: (inout [Int]) throws -> Void) throws {
    if y == 0 {
      try fill(through: reach, read)
      for j in -reach...reach { add(j, 1) }
    } else {
      try fill(through: y + reach, read)
      add(y + reach, 1)
      add(y - 1 - reach, -1)
    }
    let size = 2 * reach + 1
    for x in row.indices { row[x] = (sums[x] + reach) / size }
    y += 1
  }

  private func fill(through row: Int, _ read: (inout [Int]) throws -> Void) throws {
    while nextRow <= min(row, height - 1) {
      try read(&line)
      let start = nextRow % capacity * width
      for x in 0..<width { ring[start + x] = line[x] }
      nextRow += 1
    }
  }

  /// Rows beyond the ends are the first and the last.
  private func add(_ row: Int, _ sign: Int) {
    let start = min(max(row, 0), height - 1) % capacity * width
    for x in 0..<width { sums[x] += sign * ring[start + x] }
  }
}
