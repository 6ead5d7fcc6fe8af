import Tensors

/// How near an edited picture came to the rendered truth.
public struct EditScore: Sendable, Codable, Equatable {
  /// Mean squared errors in squares of 8-bit levels: source to truth and edit to truth, over the whole picture.
  public var errorUntouched: Double
  public var errorToTruth: Double
  /// Edit to source, over the whole picture: what a reconstruction is judged by.
  public var errorToSource: Double
  /// Edit to source, outside the pair's mask: what should not have changed; nil where the mask is everywhere.
  public var errorOutside: Double?
  /// Inside the mask, edit to truth and edit to source.
  public var errorInside: Double
  public var changeInside: Double
  /// Attributes that are the truth's (`Renderings.attributesRight`) and how much of the object's outline is
  /// (`Renderings.overlap`); nil for a pair without renderings.
  public var attributesRight: [String]?
  public var overlap: Double?

  /// Whether the edit is what was asked for: every attribute is the truth's. For a pair without renderings, whether
  /// the edited region is nearer to the truth than to the source.
  public var succeeded: Bool {
    attributesRight.map { $0.count == Renderings.attributes.count } ?? (errorInside < changeInside)
  }

  public init(_ edited: Picture, of pair: EditPair) {
    errorUntouched = pair.source.meanSquaredError(to: pair.truth) ?? 0
    errorToTruth = edited.meanSquaredError(to: pair.truth) ?? 0
    errorToSource = edited.meanSquaredError(to: pair.source) ?? 0
    errorOutside = edited.meanSquaredError(to: pair.source, .outside, of: pair.mask)
    errorInside = edited.meanSquaredError(to: pair.truth, .inside, of: pair.mask) ?? 0
    changeInside = edited.meanSquaredError(to: pair.source, .inside, of: pair.mask) ?? 0
    attributesRight = pair.renderings?.attributesRight(in: edited, truth: pair.truth)
    overlap = pair.renderings?.overlap(of: edited, truth: pair.truth)
  }
}
