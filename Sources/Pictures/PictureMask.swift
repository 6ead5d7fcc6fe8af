import Tensors

/// Where an edit counts, at the size of the picture: a drawn mask laid over it, or one that a method found.
///
/// As a `MaskSource` it is what was drawn or found, without feathering: what is written when the mask is asked for.
public struct PictureMask: MaskSource {
  private enum Origin {
    case drawn(any MaskSource)
    case found(Mask)
  }

  private let origin: Origin
  private let geometry: Geometry
  /// Whether anything but black is as good as white, where the edit is put over the picture.
  private let countsGrey: Bool

  /// The mask's pixel nearest to the upper left corner of each of the picture's: index ⌊i·source/target⌋.
  ///
  /// - Parameter countsGrey: what is not black is all edit: its grey says how much was changed there.
  public init(_ drawn: any MaskSource, over geometry: Geometry, countsGrey: Bool = false) {
    (origin, self.geometry, self.countsGrey) = (.drawn(drawn), geometry, countsGrey)
  }

  /// Between the centres of cells values change evenly, so that nothing shows the cells.
  ///
  /// - Parameter latent: of the latent's size.
  public init(found latent: Mask, over geometry: Geometry) {
    precondition(latent.height == geometry.latentHeight && latent.width == geometry.latentWidth)
    (origin, self.geometry, countsGrey) = (.found(latent), geometry, false)
  }

  public var extent: Extent { geometry.picture }

  public var comesFromAlpha: Bool {
    if case .drawn(let mask) = origin { mask.comesFromAlpha } else { false }
  }

  public var passBytes: Int {
    switch origin {
    case .drawn(let mask): mask.passBytes + NearestRows.bytes(from: mask.extent, to: extent)
    case .found: Self.foundPassBytes(geometry)
    }
  }

  /// `passBytes` of a mask that will be found, known before.
  public static func foundPassBytes(_ geometry: Geometry) -> Int { FoundCoverage.bytes(geometry) }

  public func pass() throws -> any RowPass {
    switch origin {
    case .drawn(let mask): try nearest(mask)
    case .found(let latent): LevelRows(FoundCoverage(latent, geometry), width: extent.width)
    }
  }

  private func nearest(_ mask: any MaskSource) throws -> any RowPass {
    let rows = try mask.pass()
    return mask.extent == extent ? rows : NearestRows(rows, from: mask.extent, to: extent)
  }

  /// How much of the edit counts at each pixel, 0…1, row by row.
  ///
  /// - Parameter feather: pixels; see `Mask.feathered`.
  func coverage(feather radius: Int) throws -> any CoverageRows {
    var rows: any CoverageRows =
      switch origin {
      case .drawn(let mask): DrawnCoverage(try nearest(mask), width: extent.width)
      case .found(let latent): FoundCoverage(latent, geometry)
      }
    if countsGrey { rows = SupportRows(rows) }
    return radius == 0 ? rows : FeatheredRows(rows, extent, radius: radius)
  }

  /// The same with edges that are softened to one side or both.
  func coverage(_ feather: Feathering) throws -> any CoverageRows {
    guard case .inward(let radius) = feather, radius > 0 else { return try coverage(feather: feather.radius) }
    let soft = FeatheredRows(SupportRows(try coverage(feather: 0)), extent, radius: radius)
    return InwardRows(try coverage(feather: 0), soft, width: extent.width)
  }

  /// What `coverage` holds beside the rows that it hands out.
  func coverageBytes(feather radius: Int) -> Int {
    passBytes + extent.width + (radius == 0 ? 0 : FeatheredRows.bytes(extent, radius: radius))
  }
}

/// One way through how much of an edit counts: rows of values 0…1.
protocol CoverageRows: AnyObject {
  func next(into row: inout [Float]) throws
}

/// Byte/255.
private final class DrawnCoverage: CoverageRows {
  private let rows: any RowPass
  private var line: [UInt8]

  init(_ rows: any RowPass, width: Int) {
    self.rows = rows
    line = [UInt8](repeating: 0, count: width)
  }

  func next(into row: inout [Float]) throws {
    try line.withUnsafeMutableBufferPointer { try rows.next(into: $0) }
    for x in row.indices { row[x] = Float(line[x]) / 255 }
  }
}

/// A mask of the latent's size, each cell's value at its centre and straight lines between them.
private final class FoundCoverage: CoverageRows {
  private let latent: Mask
  private let geometry: Geometry
  private let columns: [Place]
  private var y = 0

  /// A cell, and how far it is to the next one.
  private struct Place {
    var cell: Int
    var part: Float

    init(_ pixel: Int, content: Int, picture: Int, pixelsPerLatent: Int, cells: Int) {
      let place = (Float(pixel) + 0.5) * Float(content) / Float(picture) / Float(pixelsPerLatent) - 0.5
      cell = min(max(Int(place.rounded(.down)), 0), max(cells - 2, 0))
      part = cells == 1 ? 0 : min(max(place - Float(cell), 0), 1)
    }
  }

  init(_ latent: Mask, _ geometry: Geometry) {
    (self.latent, self.geometry) = (latent, geometry)
    columns = (0..<geometry.picture.width).map {
      Place(
        $0, content: geometry.content.width, picture: geometry.picture.width,
        pixelsPerLatent: geometry.pixelsPerLatent, cells: latent.width)
    }
  }

  static func bytes(_ geometry: Geometry) -> Int {
    geometry.picture.width * (MemoryLayout<Place>.stride + MemoryLayout<Float>.size)
  }

  func next(into row: inout [Float]) {
    let line = Place(
      y, content: geometry.content.height, picture: geometry.picture.height,
      pixelsPerLatent: geometry.pixelsPerLatent, cells: latent.height)
    let below = min(line.cell + 1, latent.height - 1)
    func value(_ column: Int) -> Float {
      let (a, b) = (latent[line.cell, column], latent[below, column])
      return a + line.part * (b - a)
    }
    for x in row.indices {
      let place = columns[x]
      let a = value(place.cell)
      row[x] = place.part == 0 ? a : a + place.part * (value(min(place.cell + 1, latent.width - 1)) - a)
    }
    y += 1
  }
}

/// 1 wherever there is any of the mask.
private final class SupportRows: CoverageRows {
  private let rows: any CoverageRows

  init(_ rows: any CoverageRows) { self.rows = rows }

  func next(into row: inout [Float]) throws {
    try rows.next(into: &row)
    for x in row.indices where row[x] > 0 { row[x] = 1 }
  }
}

/// round(coverage·255)
private final class LevelRows: RowPass {
  private let coverage: any CoverageRows
  private var line: [Float]

  init(_ coverage: any CoverageRows, width: Int) {
    self.coverage = coverage
    line = [Float](repeating: 0, count: width)
  }

  func next(into row: UnsafeMutableBufferPointer<UInt8>) throws {
    try coverage.next(into: &line)
    for x in row.indices { row[x] = MaskPicture.level(line[x]) }
  }
}

/// For each new pixel the old one at ⌊i·source/target⌋.
private final class NearestRows: RowPass {
  private let rows: any RowPass
  private let from: Extent
  private let to: Extent
  private var line: [UInt8]
  private var read = 0
  private var y = 0

  init(_ rows: any RowPass, from: Extent, to: Extent) {
    (self.rows, self.from, self.to) = (rows, from, to)
    line = [UInt8](repeating: 0, count: from.width)
  }

  static func bytes(from: Extent, to: Extent) -> Int { from == to ? 0 : from.width }

  func next(into row: UnsafeMutableBufferPointer<UInt8>) throws {
    try read(through: y * from.height / to.height)
    for x in row.indices { row[x] = line[x * from.width / to.width] }
    y += 1
    // Whether the source is whole and unchanged is known at its end only.
    if y == to.height { try read(through: from.height - 1) }
  }

  private func read(through last: Int) throws {
    while read <= last {
      try line.withUnsafeMutableBufferPointer { try rows.next(into: $0) }
      read += 1
    }
  }
}
