import Editing
import ImageFiles
import Pictures
import Tensors

/// A finished edit. Picture and mask have the size of the picture that was edited and are made row by row as they are
/// read; what they need of it is read again then.
public struct EditResult: Sendable {
  /// The edit, with the original where it is put back. A pass throws `PictureFileError.changed` where the picture's
  /// file is not what it was.
  public let picture: any PictureSource
  /// The mask that the method used, given or found by it.
  public let mask: (any MaskSource)?
  /// If it was to be kept.
  public let inversion: SavedInversion?
  public var report: EditReport

  /// The edit at the size at which the networks worked.
  package let working: Picture
  /// Of the latent's size.
  package let latentMask: Mask?
}

extension EditResult {
  /// Writes the picture as `.png` or `.ppm`, as the name says: complete or not at all.
  ///
  /// - Parameter withMetadata: keep the settings in a PNG as text.
  /// - Throws: `PictureFileError`.
  public func write(to path: String, withMetadata: Bool = true) throws {
    try PictureFile.write(picture, to: path, metadata: withMetadata ? report.metadata : [])
  }
}
