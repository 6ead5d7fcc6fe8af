import Tensors

/// The way from a picture to what the networks see, and back.
///
///     picture ── resize ──► content ── repeat right and lower edge ──► padded ── ÷ 8 ──► latent
///     picture ◄── resize ── content ◄───────────── crop ───────────── padded
public struct Geometry: Sendable, Equatable {
  public let picture: Extent
  public let content: Extent
  public let padded: Extent
  /// Pixels of a side that one latent element covers; both padded sides are multiples of it.
  public let pixelsPerLatent: Int

  public init(picture: Extent, working: WorkingSize, pixelsPerLatent: Int = 8) {
    (self.picture, self.pixelsPerLatent) = (picture, pixelsPerLatent)
    content = working.content
    padded = working.padded
  }

  public var latentHeight: Int { padded.height / pixelsPerLatent }
  public var latentWidth: Int { padded.width / pixelsPerLatent }

  /// The working pixel that holds the centre of a pixel of the picture.
  public func workingPoint(x: Int, y: Int) -> (x: Int, y: Int) {
    precondition((0..<picture.width).contains(x) && (0..<picture.height).contains(y))
    return (
      (2 * x + 1) * content.width / (2 * picture.width),
      (2 * y + 1) * content.height / (2 * picture.height)
    )
  }

  /// The pixel of the picture that holds the centre of a working pixel; points in the padding come from the
  /// edge.
  public func picturePoint(x: Int, y: Int) -> (x: Int, y: Int) {
    precondition((0..<padded.width).contains(x) && (0..<padded.height).contains(y))
    return (
      (2 * min(x, content.width - 1) + 1) * picture.width / (2 * content.width),
      (2 * min(y, content.height - 1) + 1) * picture.height / (2 * content.height)
    )
  }
}

extension Extent {
  public init(_ picture: Picture) { self.init(width: picture.width, height: picture.height) }
}
