/// An edit that was made at a smaller size, with the photo's fine detail where nothing was changed:
///
///     edited↑ + weight · (photo − photo↓↑)
///
/// What the smaller size loses of the photo is what the photo has beyond its own copy that went the same way. Where the edit
/// changed something the weight is 0, so that no detail of what was there shades what is there now.
public struct DetailedPicture: PictureSource {
  private let edited: RestoredPicture
  private let photo: any PictureSource
  private let base: RestoredPicture
  private let weights: PictureMask

  /// - Parameters:
  ///   - photo: what the edit was made from, of the picture's size.
  ///   - working: the same as the networks saw it.
  ///   - weights: where nothing was changed, 1.
  public init(
    _ edited: RestoredPicture, photo: any PictureSource, working: RestoredPicture, weights: PictureMask
  ) {
    precondition(
      edited.extent == photo.extent && working.extent == photo.extent && weights.extent == photo.extent)
    (self.edited, self.photo, base, self.weights) = (edited, photo, working, weights)
  }

  public var extent: Extent { edited.extent }
  public var passBytes: Int { edited.passBytes + Self.bytes(photo, base, weights) }

  /// What it takes beside the edit.
  static func bytes(_ photo: any PictureSource, _ base: RestoredPicture, _ weights: PictureMask) -> Int {
    photo.passBytes + base.passBytes + weights.coverageBytes(feather: 0) + 10 * photo.extent.width
  }

  /// The same, known before there is an edit.
  public static func bytes(_ photo: any PictureSource, _ geometry: Geometry) -> Int {
    photo.passBytes + RestoredPicture.passBytes(geometry) + PictureMask.foundPassBytes(geometry)
      + 11 * photo.extent.width
  }

  public func pass() throws -> any RowPass {
    Rows(edited.pass(), try photo.pass(), base.pass(), try weights.coverage(feather: 0), width: extent.width)
  }

  private final class Rows: RowPass {
    private let (edited, photo, base): (any RowPass, any RowPass, any RowPass)
    private let weights: any CoverageRows
    private var (old, soft): ([UInt8], [UInt8])
    private var weight: [Float]

    init(
      _ edited: any RowPass, _ photo: any RowPass, _ base: any RowPass, _ weights: any CoverageRows,
      width: Int
    ) {
      (self.edited, self.photo, self.base, self.weights) = (edited, photo, base, weights)
      (old, soft) = ([UInt8](repeating: 0, count: 3 * width), [UInt8](repeating: 0, count: 3 * width))
      weight = [Float](repeating: 0, count: width)
    }

    func next(into row: UnsafeMutableBufferPointer<UInt8>) throws {
      try edited.next(into: row)
      try old.withUnsafeMutableBufferPointer { try photo.next(into: $0) }
      try soft.withUnsafeMutableBufferPointer { try base.next(into: $0) }
      try weights.next(into: &weight)
      for (x, w) in weight.enumerated() where w > 0 {
        for i in 3 * x..<3 * x + 3 {
          let value = Float(row[i]) + w * Float(Int(old[i]) - Int(soft[i]))
          row[i] = UInt8(min(max(value.rounded(), 0), 255))
        }
      }
    }
  }
}
