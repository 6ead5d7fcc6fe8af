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
  /// What it takes to make it again, for its file.
  public internal(set) var record: EditRecord?

  /// The edit at the size at which the networks worked.
  package let working: Picture
  /// Of the latent's size.
  package let latentMask: Mask?
}

extension EditResult {
  /// What goes into the picture's file as text.
  public var metadata: [(String, String)] { record.map(report.metadata) ?? [] }

  /// Writes the picture as `.png`, `.jpg` or `.ppm`, as the name says: complete or not at all.
  ///
  /// - Parameters:
  ///   - withMetadata: keep the settings in a PNG as text, in a JPEG as comments, and what the camera noted.
  ///   - quality: of a JPEG, 1 to 100.
  /// - Throws: `PictureFileError`.
  public func write(to path: String, withMetadata: Bool = true, quality: Int = 92) throws {
    try PictureFile.write(
      picture, to: path, metadata: withMetadata ? metadata : [], quality: quality,
      keepsEXIF: withMetadata)
  }
}
