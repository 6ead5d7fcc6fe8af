import Editing
import Pictures
import Tensors

/// What somebody wants done.
///
///     var request = EditRequest(.ddpmInversion(steps: 50))
///     request.picture = try OpenPicture("ball.jpg")
///     request.prompt = "a green ball on snow at night"
///
/// Picture, mask and points are as they are: of any size, the result has that of the picture.
public struct EditRequest: Sendable {
  /// How to edit, with the settings that differ from the model's and the method's own; nil: by what is given.
  public var method: EditMethod?
  /// Where none is named: rather one of few network evaluations. Models that are distilled to few steps get one anyway.
  public var prefersFewSteps = false
  /// The picture, in a file (`OpenPicture`) or in memory (`Picture`); nil for text-to-image.
  public var picture: (any PictureSource)?
  /// What the result shows.
  public var prompt: String?
  /// What the picture shows.
  public var sourcePrompt: String?
  /// What guidance points away from; nil: the model's own rule, usually the empty prompt.
  public var negativePrompt: String?
  /// How all of these, and the concepts, are read; nil: plain, or as those of a given inversion.
  public var promptSyntax: PromptSyntax?
  /// Semantic directions.
  public var concepts: [ConceptRequest] = []
  /// Where the edit may act: of any size, laid over the picture, 255 = editable. In a file (`OpenMask`) or in memory
  /// (`MaskPicture`).
  public var mask: (any MaskSource)?
  /// Let the method find its mask: a drag then changes only what lies near its paths.
  public var findsMask = false
  /// Put the picture back outside the mask, bit for bit, where an edit obeys one.
  public var pastesBack = true
  /// Pixels of the picture by which the edge of the mask is softened to both sides where the picture is put back; nil: a
  /// given mask to the inside alone, by what a latent's cell covers, a found one between its cells.
  public var feather: Int?
  /// Which part of a large picture the model is shown.
  public var crop = Crop.auto
  /// Give back the fine detail that a smaller working size loses, where nothing was changed, if no mask does it.
  public var keepsDetail = true
  /// Points to drag, in pixels of the upright picture.
  public var moves: [Drag.Move] = []
  /// Drag one point after the other instead of all at once.
  public var dragsInSequence = false
  /// A trained translation network, and which of its tasks: a number from 1, the target's words or those of both
  /// prompts (`"a" → "b"`); nil for its only one.
  public var translator: Translator?
  public var task: String?
  /// Teach the model the picture before it is edited; nil: it is as it is. Its prompt and seed are those of the edit.
  public var learning: LoRALearning?
  /// At which size the networks work; nil: the model's native area, or that of a given inversion.
  public var size: WorkingSize.Request?
  /// Used instead of inverting the picture, which may then be nil.
  public var inversion: SavedInversion?
  /// Where that was read from, for the record.
  package var inversionPath: String?
  /// Invert in full and hand the inversion out with the result.
  public var keepsInversion = false
  /// Find out what int8 would have cost an edit that runs in floats on an int8 model, by sampling once more.
  public var comparesInt8 = false
  /// Whether somebody looks at the edit on its way (`RunWatch.Preview`), which the plan then has room for.
  public var showsPreviews = false
  /// Which of the latents that the autoencoder allows a picture is edited; nil: the mean, or as a given inversion was made.
  public var posteriorChoice: Posterior.Choice?
  /// Of the noise; nil: 42, or that of a given inversion.
  public var seed: UInt64?

  public init(_ method: EditMethod? = nil) { self.method = method }

  /// Which part of a picture the model is shown.
  public enum Crop: Sendable, Equatable {
    /// What surrounds the mask or the points, where the picture is larger than the model's size; all of it otherwise.
    case auto
    /// All of it.
    case none
    case window(Window)
  }
}

extension EditRequest {
  var posterior: Posterior.Choice { posteriorChoice ?? .mean }
  var syntax: PromptSyntax { promptSyntax ?? .plain }
  /// What becomes of the inversion.
  var inversionUse: InversionUse { inversion != nil ? .given : keepsInversion ? .kept : .discarded }

  /// What is known before anything is encoded.
  package var outline: EditOutline {
    var outline = EditOutline()
    outline.hasPicture = picture != nil
    (outline.prompt, outline.sourcePrompt) = (prompt, sourcePrompt)
    (outline.concepts, outline.hasMask, outline.findsMask) = (concepts, mask != nil, findsMask)
    (outline.moves, outline.dragsInSequence) = (moves, dragsInSequence)
    outline.inversion = inversionUse
    outline.inversionHasMask = inversion?.inversion.mask != nil
    return outline
  }
}
