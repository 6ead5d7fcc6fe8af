/// A picture at another size, made row by row.
public struct ScaledPicture: PictureSource {
  private let source: any PictureSource
  public let extent: Extent

  public init(_ source: any PictureSource, to extent: Extent) {
    (self.source, self.extent) = (source, extent)
  }

  /// No side longer than so many pixels, and never enlarged.
  public init(_ source: any PictureSource, within side: Int) {
    let size = source.extent
    let longest = max(size.width, size.height)
    func scaled(_ length: Int) -> Int { max(1, (length * side + longest / 2) / longest) }
    self.init(
      source,
      to: longest <= side ? size : Extent(width: scaled(size.width), height: scaled(size.height)))
  }

  public var passBytes: Int {
    source.passBytes + (extent == source.extent ? 0 : ResizedRows.bytes(from: source.extent, to: extent))
  }

  public func pass() throws -> any RowPass {
    let pass = try source.pass()
    return extent == source.extent ? pass : ResizedRows(pass, from: source.extent, to: extent)
  }
}
