/// An interval of finite numbers, with or without its ends.
public struct Bounds: Sendable, Equatable, CustomStringConvertible {
  public var lower = -Double.infinity
  public var upper = Double.infinity
  public var includesLower = true
  public var includesUpper = true

  public static let any = Bounds()
  public static let positive = Bounds(lower: 0, includesLower: false)
  public static let unit = Bounds(lower: 0, upper: 1)
  /// Over 0, up to 1.
  public static let fraction = Bounds(lower: 0, upper: 1, includesLower: false)
  /// From 0, under 1: what is left out, so that something is left.
  public static let remainder = Bounds(lower: 0, upper: 1, includesUpper: false)
  /// A grid cannot be finer than the training steps.
  public static let steps = Bounds(lower: 1, upper: 1000)
  public static func atLeast(_ lower: Double) -> Bounds { Bounds(lower: lower) }
  public static func within(_ range: ClosedRange<Double>) -> Bounds {
    Bounds(lower: range.lowerBound, upper: range.upperBound)
  }

  public func contains(_ value: Double) -> Bool {
    value.isFinite && (includesLower ? value >= lower : value > lower)
      && (includesUpper ? value <= upper : value < upper)
  }

  public var description: String {
    let low = lower == lower.rounded() && lower.isFinite ? "\(Int(lower))" : "\(lower)"
    let high = upper == upper.rounded() && upper.isFinite ? "\(Int(upper))" : "\(upper)"
    let end = includesUpper ? high : "under \(high)"
    return switch (lower.isFinite, upper.isFinite) {
    case (false, false): "any finite number"
    case (true, false): includesLower ? "at least \(low)" : "a number over \(low)"
    case (false, true): includesUpper ? "at most \(high)" : "a number \(end)"
    case (true, true): includesLower ? "\(low) to \(end)" : "a number over \(low), up to \(high)"
    }
  }
}
