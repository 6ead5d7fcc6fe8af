import Tensors

/// The way from a picture to what the networks see, and back.
///
///     picture ── resize ──► content ── repeat right and lower edge ──► padded ── ÷ 8 ──► latent
///     picture ◄── resize ── content ◄───────────── crop ───────────── padded
public struct Geometry: Sendable, Equatable {
  /// Pixels of a side that one latent element covers.
  public static let pixelsPerLatent = 8

  public let picture: Extent
  public let content: Extent
  public let padded: Extent

  public init(picture: Extent, working: WorkingSize) {
    self.picture = picture
    content = working.content
    padded = working.padded
  }

  public var latentHeight: Int { padded.height / Self.pixelsPerLatent }
  public var latentWidth: Int { padded.width / Self.pixelsPerLatent }

  /// What the model works on, of size `padded`.
  public func workingPicture(_ source: Picture) -> Picture {
    precondition(Extent(source) == picture)
    return source.resized(width: content.width, height: content.height)
      .window(width: padded.width, height: padded.height)
  }

  /// The worked-on picture at the size of the original, to the pixel.
  public func restore(_ working: Picture) -> Picture {
    precondition(Extent(working) == padded)
    return working.window(width: content.width, height: content.height)
      .resized(width: picture.width, height: picture.height)
  }

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

  /// A mask of any size laid over the picture, at the size of the latent.
  public func latentMask(_ mask: MaskPicture, _ rule: MaskRule) -> Mask {
    switch rule {
    case .nearest:
      return mask.nearest(height: content.height, width: content.width).binary
        .extended(height: padded.height, width: padded.width)
        .nearest(height: latentHeight, width: latentWidth)
    case .soft:
      // A mean of means over cells of one size is the mean over the union.
      return mask.areaAverage(height: content.height, width: content.width)
        .extended(height: padded.height, width: padded.width)
        .areaAverage(height: latentHeight, width: latentWidth)
    case .majority: return latentMask(mask, .soft).binarized()
    }
  }
}

extension Extent {
  public init(_ picture: Picture) { self.init(width: picture.width, height: picture.height) }
}

extension Picture {
  /// The upper left part of the given size; what lies beyond the picture repeats its right and lower edges.
  package func window(width newWidth: Int, height newHeight: Int) -> Picture {
    if newWidth == width && newHeight == height { return self }
    var result: [UInt8] = []
    result.reserveCapacity(newWidth * newHeight * 3)
    let kept = min(width, newWidth)
    for y in 0..<newHeight {
      let row = min(y, height - 1) * width * 3
      result += pixels[row..<row + kept * 3]
      for _ in kept..<newWidth { result += pixels[row + (width - 1) * 3..<row + width * 3] }
    }
    return Picture(width: newWidth, height: newHeight, pixels: result)
  }
}

extension Mask {
  /// The mask with its right and lower edges repeated up to the given size.
  fileprivate func extended(height newHeight: Int, width newWidth: Int) -> Mask {
    var result: [Float] = []
    result.reserveCapacity(newHeight * newWidth)
    for y in 0..<newHeight {
      let row = min(y, height - 1) * width
      result += values[row..<row + width]
      result += repeatElement(values[row + width - 1], count: newWidth - width)
    }
    return Mask(height: newHeight, width: newWidth, values: result)
  }
}

extension Geometry {
  /// A mask of the latent's size as one of the picture's: every pixel has the value of the cell that its centre
  /// falls into.
  public func pictureMask(_ latent: Mask) -> Mask {
    precondition(latent.height == latentHeight && latent.width == latentWidth)
    var mask = Mask(height: picture.height, width: picture.width, repeating: 0)
    for y in 0..<picture.height {
      for x in 0..<picture.width {
        let (i, j) = workingPoint(x: x, y: y)
        mask[y, x] = latent[j / Self.pixelsPerLatent, i / Self.pixelsPerLatent]
      }
    }
    return mask
  }
}
