/// Width and height in pixels.
public struct Extent: Sendable, Equatable, CustomStringConvertible {
  public var width: Int
  public var height: Int

  public init(width: Int, height: Int) {
    self.width = width
    self.height = height
  }

  public var description: String { "\(width)×\(height)" }
}

/// At which size a model works on a picture of any size.
///
/// The picture keeps its aspect and gets the area the model was trained at, then its right and lower edges
/// are repeated until both sides are multiples of what the networks divide by.
public struct WorkingSize: Sendable, Equatable {
  /// What the user asks for.
  public enum Request: Sendable, Equatable {
    /// The area of the model's native square.
    case native
    /// The area of a square with this side.
    case side(Int)
    /// As large as fits into this box.
    case box(Extent)
  }

  /// Pixels; a picture or a working picture with a shorter side is refused.
  public static let minimumSide = 64
  /// Pixels; a longer side cannot be asked for.
  public static let maximumSide = 8192

  /// The scaled picture.
  public let content: Extent
  /// With the repeated edges.
  public let padded: Extent

  /// - Parameters:
  ///   - picture: pixels.
  ///   - nativeSide: pixels, the checkpoint's `sample_size`·8.
  ///   - multiple: pixels, 8·2^(levels of the UNet − 1).
  /// - Postcondition: both sides of `content` are at least `minimumSide`. With `.native` and `.side`, a
  ///   picture that is too slender for that at the wanted area is worked on at a larger one.
  public init(
    picture: Extent, nativeSide: Int, multiple: Int, request: Request = .native
  ) throws(WorkingSizeError) {
    precondition(nativeSide >= Self.minimumSide && multiple > 0)
    let shorter = min(picture.width, picture.height)
    guard shorter >= Self.minimumSide else { throw .pictureTooSmall(picture) }

    let scale: Double
    switch request {
    case .native: scale = Self.scale(of: picture, toAreaOf: nativeSide)
    case .side(let side):
      try Self.check(side)
      scale = Self.scale(of: picture, toAreaOf: side)
    case .box(let box):
      try Self.check(box.width)
      try Self.check(box.height)
      scale = min(
        Double(box.width) / Double(picture.width), Double(box.height) / Double(picture.height))
      guard Self.pixels(shorter, scale) >= Self.minimumSide else {
        throw .boxTooSmall(box, picture: picture)
      }
    }
    let enough = max(scale, Double(Self.minimumSide) / Double(shorter))
    content = Extent(
      width: Self.pixels(picture.width, enough), height: Self.pixels(picture.height, enough))
    padded = Extent(
      width: (content.width + multiple - 1) / multiple * multiple,
      height: (content.height + multiple - 1) / multiple * multiple)
  }

  /// A picture that fills a size to the pixel: one of its aspect ratio, but for what rounding leaves.
  ///
  /// - Parameter picture: pixels.
  public init(filling size: Extent, with picture: Extent) throws(WorkingSizeError) {
    guard min(picture.width, picture.height) >= Self.minimumSide else { throw .pictureTooSmall(picture) }
    (content, padded) = (size, size)
  }

  /// A picture that is not worked on, for what only needs its size.
  public static func same(_ picture: Extent) -> WorkingSize { WorkingSize(same: picture) }

  private init(same picture: Extent) { (content, padded) = (picture, picture) }

  private static func scale(of picture: Extent, toAreaOf side: Int) -> Double {
    Double(side) / Double(picture.width * picture.height).squareRoot()
  }

  private static func pixels(_ side: Int, _ scale: Double) -> Int {
    Int((Double(side) * scale).rounded())
  }

  fileprivate static func check(_ side: Int) throws(WorkingSizeError) {
    guard (minimumSide...maximumSide).contains(side) else { throw .sideOutOfRange(side) }
  }
}

extension WorkingSize.Request {
  /// Reads `512` (the area of a square with this side) or `512x768` (a box to fit into: width, height).
  public init(parsing text: String) throws(WorkingSizeError) {
    let parts = text.split(separator: "x", omittingEmptySubsequences: false)
    let sides = parts.compactMap { part in part.allSatisfy(\.isNumber) ? Int(part) : nil }
    guard sides.count == parts.count, (1...2).contains(sides.count) else {
      throw .malformed(text)
    }
    for side in sides { try WorkingSize.check(side) }
    self = sides.count == 1 ? .side(sides[0]) : .box(Extent(width: sides[0], height: sides[1]))
  }

  /// As `init(parsing:)` reads it; nil for `native`.
  public var text: String? {
    switch self {
    case .native: nil
    case .side(let side): "\(side)"
    case .box(let box): "\(box.width)x\(box.height)"
    }
  }
}

/// Why there is no working size; each sentence names the cause and the next step.
public enum WorkingSizeError: Error, Equatable, CustomStringConvertible {
  case pictureTooSmall(Extent)
  case boxTooSmall(Extent, picture: Extent)
  case sideOutOfRange(Int)
  case malformed(String)

  public var description: String {
    let minimum = WorkingSize.minimumSide
    return switch self {
    case .pictureTooSmall(let picture):
      "the picture is \(picture) pixels, a side is under \(minimum): enlarge it or cut it out larger"
    case .boxTooSmall(let box, let picture):
      "a \(picture) picture fitted into \(box) has a side under \(minimum): use a larger size"
    case .sideOutOfRange(let side):
      "size \(side) is outside \(minimum)…\(WorkingSize.maximumSide): use one within"
    case .malformed(let text):
      "size \"\(text)\" is not understood: write one number (512) or width and height (512x768)"
    }
  }
}
