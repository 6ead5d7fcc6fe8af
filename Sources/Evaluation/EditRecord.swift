import Pentimento
import Platform
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
  public var settings: [String: SettingValue]
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
    self.settings = settings.named
    self.report = report
  }
}

extension MethodSettings {
  /// By the settings' names, for JSON.
  var named: [String: SettingValue] {
    [String: SettingValue](uniqueKeysWithValues: map { ($0.key.rawValue, $0.value) })
  }
}

/// Peak signal-to-noise ratio of 8-bit pictures in dB: 10·log₁₀(255²/error); equal pictures count as 99.
public func decibels(_ meanSquaredError: Double) -> Double {
  meanSquaredError > 0 ? min(10 * log10(255 * 255 / meanSquaredError), 99) : 99
}
