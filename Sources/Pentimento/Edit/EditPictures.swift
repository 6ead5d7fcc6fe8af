import Editing
import Files
import ImageFiles
import Pictures
import Tensors

/// The way of an edit's pictures: from the photo and its mask to what the networks see, and back.
///
/// Everything is known from sizes, before a pixel is decoded.
struct EditPictures: Sendable {
  let geometry: Geometry
  let picture: (any PictureSource)?
  /// As it was given.
  let mask: (any MaskSource)?
  let maskRule: MaskRule
  /// Whether the original is put back outside the mask, given or found.
  let pastesBack: Bool
  let feather: Feathering
  /// Whether there is a mask at the end, if only to look at.
  let hasMask: Bool

  /// What is made of picture and mask before the networks run.
  struct Prepared: Sendable {
    var picture: Picture?
    var mask: Mask?
    /// Sentences for the user.
    var notes: [String] = []
  }

  /// Reads picture and mask, each in one pass.
  func read() throws -> Prepared {
    var prepared = Prepared()
    prepared.picture = try picture.map { try geometry.workingPicture(reading: $0) }
    guard let mask else { return prepared }
    try Task.checkCancellation()
    let (latent, facts) = try geometry.latentMask(reading: mask, maskRule)
    prepared.mask = latent
    prepared.notes = notes(facts)
    return prepared
  }

  private func notes(_ facts: MaskFacts) -> [String] {
    var notes: [String] = []
    if facts.comesFromAlpha {
      notes.append("The mask is taken from its file's transparency, where its colours say nothing.")
    }
    if facts.isAllWhite { notes.append("The mask is white everywhere: all of the picture may change.") }
    if facts.isStretched(over: geometry.picture) {
      notes.append(
        "The mask of \(facts.extent) has another aspect ratio than the picture of \(geometry.picture): it is stretched."
      )
    }
    return notes
  }

  /// The edit at the size of the picture, with the original where it is put back.
  ///
  /// - Parameters:
  ///   - working: of the working size.
  ///   - found: the mask that the method found, of the latent's size.
  func finished(_ working: Picture, found: Mask?) -> (picture: any PictureSource, mask: (any MaskSource)?) {
    let restored = RestoredPicture(working, geometry)
    let full =
      mask.map { PictureMask($0, over: geometry) } ?? found.map { PictureMask(found: $0, over: geometry) }
    guard let photo else { return (restored, full) }
    let coverage = pastesBack ? full.map { EditCoverage($0, feather) } : nil
    return (FinishedPhoto(restored, of: photo, within: coverage), full)
  }

  /// The picture with all that its file has of it.
  private var photo: (any PhotoSource)? { picture.map { $0 as? any PhotoSource ?? PlainPhoto($0) } }
}

/// Bytes, known before anything is decoded.
extension EditPictures {
  /// While picture and mask are read: the larger pass.
  var reading: Int {
    let picture = picture.map { $0.passBytes + 3 * $0.extent.width + geometry.workingPictureBytes } ?? 0
    let mask = mask.map { $0.passBytes + geometry.latentMaskBytes(of: $0.extent, maskRule) } ?? 0
    return max(picture, mask)
  }

  /// What stays in memory from the first stage to the last.
  var held: Int {
    let latent = geometry.latentHeight * geometry.latentWidth * MemoryLayout<Float>.size
    let working = 3 * geometry.padded.width * geometry.padded.height
    return (picture == nil ? 0 : working) + (hasMask ? latent : 0)
  }

  /// While the result is made as large as the picture and written as a PNG.
  var writing: Int {
    let extent = geometry.picture
    let working = 3 * geometry.padded.width * geometry.padded.height
    let drawn = mask.map { PictureMask($0, over: geometry) }
    let format = photo?.format ?? .plain
    let encoders = [PictureEncoding.png, .jpeg(quality: PictureEncoding.usualQuality)]
    var picture =
      RestoredPicture.passBytes(geometry)
      + encoders.map { PictureEncoder.bytes($0, extent, format: format) }.max()!
    let maskPass = drawn?.passBytes ?? PictureMask.foundPassBytes(geometry)
    if let photo {
      let pasted =
        drawn
        ?? PictureMask(
          found: Mask(height: geometry.latentHeight, width: geometry.latentWidth), over: geometry)
      picture += FinishedPhoto.bytes(photo, mask: pastesBack ? EditCoverage(pasted, feather) : nil)
      picture += 2 * (photo.color.profile?.count ?? 0)
    }
    let mask = hasMask ? maskPass + PictureEncoder.bytes(.png, extent, isMask: true) : 0
    return working + max(picture, mask) + PartialFile.writingBytes
  }
}
