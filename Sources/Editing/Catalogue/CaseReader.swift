/// How a parity case of another implementation says a parameter.
package struct CaseReader<Method>: Sendable {
  /// Names that the value may have in a case.
  package let keys: [String]
  /// Whether a case without it is not complete.
  package let isNeeded: Bool
  /// Takes the value out of the case; asked for a key that the case does not have it gets nil.
  let read: @Sendable (inout Method, (String) -> SettingValue?) throws(CaseFault) -> Void
}

/// A value of a case that is missing or cannot be.
package struct CaseFault: Error {
  package var key: String
  package var expected: String
}

extension Parameter {
  /// Puts the case's value in place.
  package func read(into method: inout Method, _ value: (String) -> SettingValue?) throws(CaseFault) {
    guard let cases else { return }
    if cases.isNeeded, !cases.keys.contains(where: { value($0) != nil }) {
      throw CaseFault(key: cases.keys[0], expected: kind.words)
    }
    try cases.read(&method, value)
  }
}

extension EditingMethod {
  /// The method that a kind of case means, with the values that the kind alone says; nil for a kind of others.
  ///
  /// - Parameter value: the case's own by key.
  package static func of(
    caseKind kind: String, _ outline: EditOutline, _ value: (String) -> SettingValue?
  ) throws(CaseFault) -> Self? {
    guard var method = caseKinds[kind] else { return nil }
    for row in parameters where row.whyIdle(in: method, outline) == nil { try row.read(into: &method, value) }
    return method
  }

  /// Keys that its cases may have.
  package static var caseKeys: Set<String> { Set(parameters.flatMap { $0.cases?.keys ?? [] }) }
}

extension PictureSampler {
  /// The case's `sde`, unless its kind has said that there are jumps.
  mutating func read(_ value: (String) -> SettingValue?) throws(CaseFault) {
    guard self != .lcm else { return }
    self = try PictureSampler(Sampler(ofCase: value))
  }
}

extension Sampler {
  /// Cases say `sde`: true or false, missing for the ODE.
  init(ofCase value: (String) -> SettingValue?) throws(CaseFault) {
    switch value("sde") {
    case nil, .flag(false)?: self = .ode
    case .flag(true)?: self = .sde
    default: throw CaseFault(key: "sde", expected: "true or false")
    }
  }
}
