import Pictures
import Tensors

/// Pictures of one size side by side, each with a number over it, made row by row.
public struct PictureSheet: PictureSource {
  private let pictures: [any PictureSource]
  /// The strip over the pictures.
  private let labels: Picture
  public let extent: Extent

  /// Pixels between two pictures, and of the strip.
  private static let (gap, strip) = (4, 24)

  /// - Parameter pictures: at least one, all of one size.
  public init(_ pictures: [(label: Double, picture: any PictureSource)]) {
    self.pictures = pictures.map(\.picture)
    let one = pictures[0].picture.extent
    precondition(pictures.allSatisfy { $0.picture.extent == one }, "pictures of different sizes")
    let width = pictures.count * (one.width + Self.gap) - Self.gap
    extent = Extent(width: width, height: one.height + Self.strip)
    var canvas = PlotCanvas(width: width, height: Self.strip)
    for (i, (label, _)) in pictures.enumerated() {
      let text = PlotAxis.text(label)
      let middle = i * (one.width + Self.gap) + one.width / 2
      canvas.write(text, middle - PlotCanvas.width(of: text) / 2, (Self.strip - PlotCanvas.textHeight) / 2)
    }
    labels = canvas.picture
  }

  public var passBytes: Int { pictures.reduce(0) { $0 + $1.passBytes } + labels.pixels.count }

  public func pass() throws -> any RowPass {
    Rows(try pictures.map { try $0.pass() }, pictures[0].extent.width, labels)
  }

  private final class Rows: RowPass {
    private let passes: [any RowPass]
    private let width: Int
    private let labels: Picture
    private var y = 0

    init(_ passes: [any RowPass], _ width: Int, _ labels: Picture) {
      (self.passes, self.width, self.labels) = (passes, width, labels)
    }

    func next(into row: UnsafeMutableBufferPointer<UInt8>) throws {
      defer { y += 1 }
      let bytes = 3 * labels.width
      guard y >= labels.height else {
        _ = row.update(fromContentsOf: labels.pixels[y * bytes..<(y + 1) * bytes])
        return
      }
      row.update(repeating: 255)
      for (i, pass) in passes.enumerated() {
        let start = 3 * i * (width + PictureSheet.gap)
        try pass.next(into: UnsafeMutableBufferPointer(rebasing: row[start..<start + 3 * width]))
      }
    }
  }
}
