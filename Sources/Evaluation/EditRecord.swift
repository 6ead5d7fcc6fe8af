import Editing
import Pentimento
import Tensors

/// What one edit of one pair came to.
public struct EditRecord: Sendable, Codable {
  public var contestant: String
  public var pair: String
  public var kind: String
  public var score: EditScore
  /// What was asked, the model's defaults included: a record answers only the same question again.
  public var settings: MethodSettings
  /// nil for a picture that was made elsewhere.
  public var report: EditReport?

  init(
    _ label: String, _ pair: EditPair, edited: Picture, settings: MethodSettings = [:],
    report: EditReport? = nil
  ) {
    contestant = label
    self.pair = pair.name
    kind = pair.kind
    score = EditScore(edited, of: pair)
    self.settings = settings
    self.report = report
  }
}

/// Peak signal-to-noise ratio in dB, for means over pictures: equal ones count as 99, and nothing counts more.
public func decibels(_ meanSquaredError: Double) -> Double {
  min(peakSignalToNoise(meanSquaredError: meanSquaredError) ?? 99, 99)
}
