/// What is known of an edit before anything is encoded: enough to check it, to count its evaluations and to plan its
/// memory.
public struct EditOutline: Sendable, Equatable {
  public var hasPicture = false
  /// What the result shows; nil where nothing was said, which is not the same as "".
  public var prompt: String?
  /// What the picture shows.
  public var sourcePrompt: String?
  /// Semantic directions.
  public var concepts: [ConceptRequest] = []
  public var hasMask = false
  /// Let the method find its mask: a drag then changes only what lies near its paths.
  public var findsMask = false
  /// Points to drag, in pixels of the picture that is encoded.
  public var moves: [Drag.Move] = []
  /// Drag one point after the other instead of all at once.
  public var dragsInSequence = false
  /// The place of the translator's task in its list; nil without a translator.
  public var task: Int?
  public var inversion = InversionUse.discarded
  /// Values of a prompt's text states in the model that the edit will run on, tokens × width; 0 where it is not known.
  public var contextValues = 0
  /// Of the model that the edit will run on.
  public var kind = ModelKind()
  /// Whether the given inversion has a mask that holds for this prompt.
  public var inversionHasMask = false

  public init() {}

  /// Whether there is a prompt with text in it: an empty one is the model's unconditional branch.
  var hasTargetText: Bool { !(prompt ?? "").isEmpty }
  var hasSourceText: Bool { !(sourcePrompt ?? "").isEmpty }
}

/// Why a row has no use in an edit, as several methods' tables say it.
enum Idle {
  /// Without a source prompt the picture is inverted unguided.
  static func withoutSource(_ outline: EditOutline) -> String? {
    outline.hasSourceText ? nil : "without a source prompt"
  }
}
