import Editing
import Tensors

/// What somebody wants done.
public struct EditRequest: Sendable {
  /// A name of `MethodEntry.all`.
  public var method: String
  /// The picture at its working size; nil for text-to-image.
  public var picture: Picture?
  /// Working size in pixels, multiples of `Model.sizeMultiple`.
  public var width: Int
  public var height: Int
  /// What the result shows.
  public var prompt: String?
  /// What the picture shows.
  public var sourcePrompt: String?
  /// What guidance points away from; nil: the model's own rule, usually the empty prompt.
  public var negativePrompt: String?
  /// Semantic directions.
  public var concepts: [ConceptRequest] = []
  /// 1 = editable, of the latent's size (an eighth of the working size); made by the method's `maskRule`.
  public var mask: Mask?
  /// Points to drag, in working pixels.
  public var moves: [Drag.Move] = []
  /// Drag one point after the other instead of all at once.
  public var dragsInSequence = false
  /// Let the method find its mask: a drag then changes only what lies near its paths.
  public var findsMask = false
  public var settings: MethodSettings = [:]
  /// Used instead of inverting the picture, which may then be nil.
  public var inversion: SavedInversion?
  /// Invert in full and hand the inversion out with the result.
  public var keepsInversion = false
  public var seed: UInt64 = 42

  public init(method: String, width: Int, height: Int) {
    self.method = method
    self.width = width
    self.height = height
  }
}

/// What a run was and what it took.
public struct EditReport: Sendable, Codable {
  public var method: String
  public var model: String
  /// Names of the LoRA files that were laid over the model, with their factors.
  public var lora: [String]
  /// Every parameter of the method with the value used.
  public var parameters: [String: String]
  /// Settings that the caller, a given inversion or the model gave; all others are the method's own defaults.
  public var settingsFrom: [String: String]
  /// sds, dds: what a gradient is multiplied by at this size, learning rate times L/(h·w) (methods.md 2.1).
  public var stepFactor: Double?
  public var concepts: [String]
  public var prompt: String?
  public var sourcePrompt: String?
  public var negativePrompt: String?
  public var seed: UInt64
  public var generator: String
  /// Whether the inversion served this edit alone, is kept or was given; nil for a method without one.
  public var inversion: InversionUse?
  /// Working size in pixels.
  public var width: Int
  public var height: Int
  /// Network evaluations, as planned and as done.
  public var plannedEvaluations: Int
  public var evaluations: Int
  public var threads: Int
  public var instructionSet: String
  /// Prompts that were longer than the model reads: the parts that were cut.
  public var cutPrompts: [String]
  public var warnings: [String]
  /// "given", or "found" by the method; nil where there was none.
  public var mask: String?
  public var plannedPeakBytes: Int
  /// As the kernel counted for this process.
  public var peakBytes: Int
  public var seconds: Double
}

/// A finished edit.
public struct EditResult: Sendable {
  /// At the working size of the request.
  public var picture: Picture
  /// The mask that the method used: given, or found by it. Of the latent's size.
  public var mask: Mask?
  /// If it was to be kept.
  public var inversion: SavedInversion?
  public var report: EditReport
}
