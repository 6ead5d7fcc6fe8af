import Editing
import Files
import ImageFiles
import Pictures
import Tensors

/// The way of an edit's pictures: from the photo and its mask to what the networks see, and back.
///
/// Everything is known from sizes, before a pixel is decoded.
struct EditPictures: Sendable {
  /// Of what the model is shown: the photo, or a window of it.
  let geometry: Geometry
  let photo: (any PhotoSource)?
  let window: Window?
  /// As it was given.
  let mask: (any MaskSource)?
  let maskRule: MaskRule
  /// Whether the original is put back outside the mask, given or found.
  let pastesBack: Bool
  /// Whether fine detail that the working size loses is given back where nothing was changed.
  let keepsDetail: Bool
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

  /// What the model is shown.
  private var picture: (any PictureSource)? {
    guard let photo, let window else { return photo }
    return WindowedPicture(photo, window)
  }

  /// The mask over what the model is shown.
  private var shownMask: (any MaskSource)? {
    guard let mask, let window, let photo else { return mask }
    let whole = Geometry(picture: photo.extent, working: .same(photo.extent))
    return WindowedMask(PictureMask(mask, over: whole), window)
  }

  /// Reads picture and mask, each in one pass.
  func read() throws -> Prepared {
    var prepared = Prepared()
    prepared.picture = try picture.map { try geometry.workingPicture(reading: $0) }
    guard let mask = shownMask else { return prepared }
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
    if facts.isAllWhite, window == nil {
      notes.append("The mask is white everywhere: all of the picture may change.")
    }
    var drawn = facts
    drawn.extent = mask?.extent ?? facts.extent
    let whole = photo?.extent ?? geometry.picture
    if drawn.isStretched(over: whole) {
      notes.append(
        "The mask of \(drawn.extent) has another aspect ratio than the picture of \(whole): it is stretched.")
    }
    return notes
  }

  /// The edit at the size of the picture, with the original where it is put back.
  ///
  /// - Parameters:
  ///   - working: of the working size.
  ///   - source: what it was made from.
  ///   - found: the mask that the method found, of the latent's size.
  ///   - unchanged: where nothing was changed, 1, of the same size.
  func finished(
    _ working: Picture, from source: Picture?, found: Mask?, unchanged: Mask?
  ) -> (picture: any PictureSource, mask: (any MaskSource)?) {
    var edited: any PictureSource = RestoredPicture(working, geometry)
    if givesDetailBack, let source, let picture, let unchanged {
      edited = DetailedPicture(
        RestoredPicture(working, geometry), photo: picture, working: RestoredPicture(source, geometry),
        weights: PictureMask(found: unchanged, over: geometry))
    }
    let shown = pictureMask(found: found)
    guard let photo else { return (edited, shown) }
    let coverage = pastesBack ? shown.map { EditCoverage($0, feather) } : nil
    let finished = FinishedPhoto(edited, of: photo, within: coverage, at: window, border: border)
    let full = window.flatMap { window in shown.map { PlacedMask($0, at: window, of: photo.extent) } }
    return (finished, full ?? shown)
  }

  /// Detail is lost where the picture is worked on at a smaller size.
  var givesDetailBack: Bool {
    keepsDetail && photo != nil
      && (geometry.content.width < geometry.picture.width
        || geometry.content.height < geometry.picture.height)
  }

  /// A window whose sides nothing else hides: two cells.
  private var border: Int {
    window == nil || pastesBack
      ? 0 : 2 * (geometry.pixelsPerLatent * geometry.picture.width / geometry.content.width)
  }

  private func pictureMask(found: Mask?) -> PictureMask? {
    shownMask.map { PictureMask($0, over: geometry, countsGrey: maskRule == .gradual) }
      ?? found.map { PictureMask(found: $0, over: geometry) }
  }
}

/// Bytes, known before anything is decoded.
extension EditPictures {
  /// While picture and mask are read: the larger pass.
  var reading: Int {
    let picture = picture.map { $0.passBytes + 3 * $0.extent.width + geometry.workingPictureBytes } ?? 0
    let mask = shownMask.map { $0.passBytes + geometry.latentMaskBytes(of: $0.extent, maskRule) } ?? 0
    return max(picture, mask)
  }

  /// What stays in memory from the first stage to the last.
  var held: Int {
    let latent = geometry.latentHeight * geometry.latentWidth * MemoryLayout<Float>.size
    let working = 3 * geometry.padded.width * geometry.padded.height
    // Where nothing was changed is a mask too.
    return (photo == nil ? 0 : working + latent) + (hasMask ? latent : 0) + 2
      * (photo?.color.profile?.count ?? 0)
  }

  /// While the result is made as large as the picture and written, as a PNG or a JPEG.
  var writing: Int {
    let extent = photo?.extent ?? geometry.picture
    let working = 3 * geometry.padded.width * geometry.padded.height
    let format = photo?.format ?? .plain
    let encoders = [PictureEncoding.png, .jpeg(quality: PictureEncoding.usualQuality)]
    var result =
      RestoredPicture.passBytes(geometry)
      + encoders.map { PictureEncoder.bytes($0, extent, format: format) }.max()!
    let maskPass = (pictureMask(found: nil)?.passBytes ?? PictureMask.foundPassBytes(geometry)) + extent.width
    if let photo, let picture {
      let none = Mask(height: geometry.latentHeight, width: geometry.latentWidth)
      let coverage = pastesBack ? pictureMask(found: none).map { EditCoverage($0, feather) } : nil
      result += FinishedPhoto.bytes(photo, mask: coverage, isPart: window != nil)
      if givesDetailBack { result += DetailedPicture.bytes(picture, geometry) }
    }
    let mask = hasMask ? maskPass + PictureEncoder.bytes(.png, extent, isMask: true) : 0
    return working + max(result, mask) + PartialFile.writingBytes
  }
}
