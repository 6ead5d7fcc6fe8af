/// How much of an edit counts at each pixel of a photo: a mask with its edges as they shall be.
public struct EditCoverage: Sendable {
  let mask: PictureMask
  let feather: Feathering

  public init(_ mask: PictureMask, _ feather: Feathering) { (self.mask, self.feather) = (mask, feather) }

  public var extent: Extent { mask.extent }

  /// What `coverage` holds beside the rows that it hands out.
  var bytes: Int {
    let soft = mask.coverageBytes(feather: feather.radius)
    guard case .inward(let radius) = feather, radius > 0 else { return soft }
    return soft + mask.coverageBytes(feather: 0) + extent.width * MemoryLayout<Float>.size
  }

  func coverage() throws -> any CoverageRows { try mask.coverage(feather) }
}

/// How the edge of a mask is softened, in pixels of the picture.
public enum Feathering: Sendable, Equatable {
  /// To both sides: see `Mask.feathered`.
  case both(Int)
  /// To the inside alone, so that nothing outside the mask is touched.
  case inward(Int)

  public static let none = Feathering.both(0)

  public var radius: Int {
    switch self {
    case .both(let radius), .inward(let radius): radius
    }
  }
}

/// min(mask, 2·feathered − 1): 0 outside a mask and at its edge, 1 from the radius on.
final class InwardRows: CoverageRows {
  private let sharp: any CoverageRows
  private let soft: any CoverageRows
  private var line: [Float]

  /// - Parameters:
  ///   - sharp: the mask.
  ///   - soft: the same, feathered to both sides.
  init(_ sharp: any CoverageRows, _ soft: any CoverageRows, width: Int) {
    (self.sharp, self.soft) = (sharp, soft)
    line = [Float](repeating: 0, count: width)
  }

  func next(into row: inout [Float]) throws {
    try sharp.next(into: &line)
    try soft.next(into: &row)
    for x in row.indices { row[x] = min(line[x], max(0, 2 * row[x] - 1)) }
  }
}
