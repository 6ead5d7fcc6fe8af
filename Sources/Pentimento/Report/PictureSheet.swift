import Pictures
import Tensors

/// Pictures of one size in rows, each with a number over it, made row by row. A place without a picture is white.
public struct PictureSheet: PictureSource {
  private let pictures: [(label: Double, picture: (any PictureSource)?)]
  private let columns: Int
  /// Of one picture.
  private let one: Extent
  public let extent: Extent

  /// Pixels between two pictures, and of the strip over them.
  private static let (gap, strip) = (4, 24)

  /// - Parameters:
  ///   - pictures: row by row, at least one that is there, all of one size.
  ///   - columns: in a row; nil: all of them.
  public init(_ pictures: [(label: Double, picture: (any PictureSource)?)], columns: Int? = nil) {
    let columns = columns ?? pictures.count
    let extents = pictures.compactMap { $0.picture?.extent }
    precondition(
      !extents.isEmpty && extents.allSatisfy { $0 == extents[0] }, "pictures of different sizes, or none")
    (self.pictures, self.columns, one) = (pictures, columns, extents[0])
    let rows = (pictures.count + columns - 1) / columns
    extent = Extent(
      width: columns * (one.width + Self.gap) - Self.gap, height: rows * (one.height + Self.strip))
  }

  /// Those of one row are open at a time.
  public var passBytes: Int {
    let rows = stride(from: 0, to: pictures.count, by: columns).map { start in
      pictures[start..<min(start + columns, pictures.count)].reduce(0) { $0 + ($1.picture?.passBytes ?? 0) }
    }
    return rows.max()! + 3 * extent.width * Self.strip
  }

  public func pass() throws -> any RowPass { try Rows(self) }

  /// The numbers over a row of pictures.
  private func labels(_ row: Int) -> Picture {
    var canvas = PlotCanvas(width: extent.width, height: Self.strip)
    for (column, place) in places(row).enumerated() {
      let text = PlotAxis.text(pictures[place].label)
      let middle = column * (one.width + Self.gap) + one.width / 2
      canvas.write(text, middle - PlotCanvas.width(of: text) / 2, (Self.strip - PlotCanvas.textHeight) / 2)
    }
    return canvas.picture
  }

  private func places(_ row: Int) -> Range<Int> {
    row * columns..<min((row + 1) * columns, pictures.count)
  }

  private final class Rows: RowPass {
    private let sheet: PictureSheet
    private var labels: Picture
    private var passes: [(any RowPass)?]
    private var y = 0

    /// The first row of pictures is opened at once, so that what cannot be read is told before anything is written.
    init(_ sheet: PictureSheet) throws {
      self.sheet = sheet
      (labels, passes) = (sheet.labels(0), try Self.open(sheet, 0))
    }

    private static func open(_ sheet: PictureSheet, _ row: Int) throws -> [(any RowPass)?] {
      try sheet.places(row).map { try sheet.pictures[$0].picture?.pass() }
    }

    func next(into row: UnsafeMutableBufferPointer<UInt8>) throws {
      defer { y += 1 }
      let period = sheet.one.height + PictureSheet.strip
      let line = y % period
      if line == 0, y > 0 {
        passes = []
        (labels, passes) = (sheet.labels(y / period), try Self.open(sheet, y / period))
      }
      guard line >= PictureSheet.strip else {
        let bytes = 3 * labels.width
        _ = row.update(fromContentsOf: labels.pixels[line * bytes..<(line + 1) * bytes])
        return
      }
      row.update(repeating: 255)
      let width = sheet.one.width
      for (i, pass) in passes.enumerated() {
        let start = 3 * i * (width + PictureSheet.gap)
        try pass?.next(into: UnsafeMutableBufferPointer(rebasing: row[start..<start + 3 * width]))
      }
    }
  }
}
