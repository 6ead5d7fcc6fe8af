/// One adjustable value of a method: its meaning, its present value and what it may be.
///
/// A method lists its parameters once. The list of a method with default values is its documentation, that
/// of a method about to run is what is checked.
public struct Parameter: Sendable, Equatable {
  public enum Value: Sendable, Equatable {
    case whole(Int)
    case number(Double)
    case flag(Bool)
    case choice(String, of: [String])
    /// Not given: the method derives it, as the text says.
    case derived(String)
  }

  public var name: String
  public var value: Value
  public var bounds: Bounds
  public var meaning: String

  init(_ name: String, _ value: Int, _ bounds: Bounds, _ meaning: String) {
    (self.name, self.value, self.bounds, self.meaning) = (name, .whole(value), bounds, meaning)
  }
  init(_ name: String, _ value: Double, _ bounds: Bounds, _ meaning: String) {
    (self.name, self.value, self.bounds, self.meaning) = (name, .number(value), bounds, meaning)
  }
  init(_ name: String, _ value: Double?, orDerived rule: String, _ bounds: Bounds, _ meaning: String) {
    let value = value.map(Value.number) ?? .derived(rule)
    (self.name, self.value, self.bounds, self.meaning) = (name, value, bounds, meaning)
  }
  init(_ name: String, _ value: Bool, _ meaning: String) {
    (self.name, self.value, self.bounds, self.meaning) = (name, .flag(value), .any, meaning)
  }
  init<C: RawRepresentable & CaseIterable>(_ name: String, _ value: C, _ meaning: String)
  where C.RawValue == String {
    let value = Value.choice(value.rawValue, of: C.allCases.map(\.rawValue))
    (self.name, self.value, self.bounds, self.meaning) = (name, value, .any, meaning)
  }

  /// Throws `EditError.parameter` if the value is out of bounds or not finite.
  func check(method: String) throws(EditError) {
    let number: Double
    switch value {
    case .whole(let whole): number = Double(whole)
    case .number(let given): number = given
    case .flag, .choice, .derived: return
    }
    guard bounds.contains(number) else {
      throw .parameter(method: method, name: name, value: valueText, allowed: "\(bounds)")
    }
  }

  /// The value as a user would type it.
  public var valueText: String {
    switch value {
    case .whole(let value): "\(value)"
    case .number(let value): "\(value)"
    case .flag(let value): "\(value)"
    case .choice(let value, _): value
    case .derived(let rule): rule
    }
  }
}

/// An interval of finite numbers, with or without its ends.
public struct Bounds: Sendable, Equatable, CustomStringConvertible {
  public var lower = -Double.infinity
  public var upper = Double.infinity
  public var includesLower = true

  public static let any = Bounds()
  public static let positive = Bounds(lower: 0, includesLower: false)
  public static let unit = Bounds(lower: 0, upper: 1)
  /// Over 0, up to 1.
  public static let fraction = Bounds(lower: 0, upper: 1, includesLower: false)
  /// A grid cannot be finer than the training steps.
  public static let steps = Bounds(lower: 1, upper: 1000)
  public static func atLeast(_ lower: Double) -> Bounds { Bounds(lower: lower) }
  public static func within(_ range: ClosedRange<Double>) -> Bounds {
    Bounds(lower: range.lowerBound, upper: range.upperBound)
  }

  public func contains(_ value: Double) -> Bool {
    value.isFinite && value <= upper && (includesLower ? value >= lower : value > lower)
  }

  public var description: String {
    let low = lower == lower.rounded() && lower.isFinite ? "\(Int(lower))" : "\(lower)"
    let high = upper == upper.rounded() && upper.isFinite ? "\(Int(upper))" : "\(upper)"
    return switch (lower.isFinite, upper.isFinite) {
    case (false, false): "any finite number"
    case (true, false): includesLower ? "at least \(low)" : "a number over \(low)"
    case (false, true): "at most \(high)"
    case (true, true): includesLower ? "\(low) to \(high)" : "a number over \(low), up to \(high)"
    }
  }
}
