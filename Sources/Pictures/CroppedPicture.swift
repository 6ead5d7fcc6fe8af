/// The middle of a picture, of another aspect ratio.
public struct CroppedPicture: PictureSource {
  private let picture: any PictureSource
  public let extent: Extent

  /// - Parameter aspect: of the middle; it is as large as fits.
  public init(_ picture: any PictureSource, aspect: Extent) {
    self.picture = picture
    let whole = picture.extent
    // Whole numbers: a picture that has the aspect ratio stays as it is.
    if whole.width * aspect.height > whole.height * aspect.width {
      let width = (2 * whole.height * aspect.width + aspect.height) / (2 * aspect.height)
      extent = Extent(width: max(width, 1), height: whole.height)
    } else {
      let height = (2 * whole.width * aspect.height + aspect.width) / (2 * aspect.width)
      extent = Extent(width: whole.width, height: max(min(height, whole.height), 1))
    }
  }

  public var passBytes: Int { picture.passBytes + 3 * picture.extent.width }

  public func pass() throws -> any RowPass { Rows(try picture.pass(), of: picture.extent, to: extent) }

  private final class Rows: RowPass {
    private let pass: any RowPass
    private let (whole, part): (Extent, Extent)
    private var row: [UInt8]
    /// Rows of the picture that were read.
    private var read = 0
    private var given = 0

    init(_ pass: any RowPass, of whole: Extent, to part: Extent) {
      (self.pass, self.whole, self.part) = (pass, whole, part)
      row = [UInt8](repeating: 0, count: 3 * whole.width)
    }

    func next(into target: UnsafeMutableBufferPointer<UInt8>) throws {
      let (top, left) = ((whole.height - part.height) / 2, (whole.width - part.width) / 2)
      while read <= top + given { try advance() }
      row.withUnsafeBufferPointer { row in
        _ = target.update(fromContentsOf: row[3 * left..<3 * (left + part.width)])
      }
      given += 1
      // Whether the file is sound is known at its end.
      if given == part.height { while read < whole.height { try advance() } }
    }

    private func advance() throws {
      try row.withUnsafeMutableBufferPointer { try pass.next(into: $0) }
      read += 1
    }
  }
}
