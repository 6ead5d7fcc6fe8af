import Editing
import Pictures
import Tensors

/// From what the stages have made to what is handed out.
extension EditJob {
  /// What the stages of a run have made.
  struct Products {
    let read: EditPictures.Prepared
    /// The picture's latent; nil where there was no picture.
    let source: Latent?
    let latent: Latent
    /// Of the working size.
    let working: Picture
  }

  /// What a run hands out.
  ///
  /// - Parameter report: is told what the edit did to the latent.
  func result(
    _ made: Products, _ remarks: Remarks, report: (EditChange?) -> EditReport
  ) throws -> EditResult {
    var change = change(made.latent, from: made.source, mask: made.read.mask ?? remarks.mask, remarks)
    let unchanged = made.source.flatMap {
      pictures.givesDetailBack ? EditChange.unchanged(made.latent, from: $0) : nil
    }
    change?.detail = unchanged.map { Double($0.values.reduce(0, +)) / Double($0.values.count) }
    let finished = pictures.finished(
      made.working, from: made.read.picture, found: remarks.mask, unchanged: unchanged)
    return EditResult(
      picture: finished.picture, mask: finished.mask,
      inversion: request.keepsInversion ? try saved(remarks.inversion, of: made.read.picture) : nil,
      report: report(change), working: made.working, latentMask: remarks.mask)
  }

  /// What the edit did to the latent, and what is to be said of it.
  private func change(_ latent: Latent, from source: Latent?, mask: Mask?, _ remarks: Remarks) -> EditChange?
  {
    guard let source, request.picture != nil else { return nil }
    let change = EditChange(
      latent, from: source, mask: request.obeysMask(with: EditMethod(type(of: prepared.method))) ? mask : nil,
      moves: prepared.outline.moves, written: request.moves.map(\.written),
      pixelsPerLatent: pictures.geometry.pixelsPerLatent)
    let takes = Set(prepared.method.spelledOut(prepared.outline).keys)
    for note in change.notes(takes: takes, putsBack: pictures.pastesBack) { remarks.add(note) }
    return change
  }

  /// The inversion with what it is tied to.
  private func saved(_ inversion: Inversion?, of picture: Picture?) throws -> SavedInversion? {
    guard let inversion, let picture else { return nil }
    return SavedInversion(
      inversion: inversion, origin: try .init(self, picture, identity: editor.identity.value()))
  }
}
