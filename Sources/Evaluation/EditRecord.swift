import Editing
import Pentimento
import Tensors

/// What one edit of one pair came to.
public struct EditRecord: Sendable, Codable {
  public var contestant: String
  public var pair: String
  public var kind: String
  /// Mean squared errors in squares of 8-bit levels: source to truth and edit to truth, over the whole picture.
  public var errorUntouched: Double
  public var errorToTruth: Double
  /// Edit to source, outside the pair's mask: what should not have changed; nil where the mask is everywhere.
  public var errorOutside: Double?
  /// Inside the mask, edit to truth and edit to source.
  public var errorInside: Double
  public var changeInside: Double
  /// What was asked, the model's defaults included: a record answers only the same question again.
  public var settings: MethodSettings
  public var report: EditReport

  /// Whether the edited region is nearer to the truth than to the source.
  public var succeeded: Bool { errorInside < changeInside }

  init(
    _ contestant: Contestant, _ pair: EditPair, edited: Picture, settings: MethodSettings, report: EditReport
  ) {
    self.contestant = contestant.label
    self.pair = pair.name
    kind = pair.kind
    errorUntouched = pair.source.meanSquaredError(to: pair.truth) ?? 0
    errorToTruth = edited.meanSquaredError(to: pair.truth) ?? 0
    errorOutside = edited.meanSquaredError(to: pair.source, .outside, of: pair.mask)
    errorInside = edited.meanSquaredError(to: pair.truth, .inside, of: pair.mask) ?? 0
    changeInside = edited.meanSquaredError(to: pair.source, .inside, of: pair.mask) ?? 0
    self.settings = settings
    self.report = report
  }
}

/// Peak signal-to-noise ratio in dB, for means over pictures: equal ones count as 99, and nothing counts more.
public func decibels(_ meanSquaredError: Double) -> Double {
  min(peakSignalToNoise(meanSquaredError: meanSquaredError) ?? 99, 99)
}
