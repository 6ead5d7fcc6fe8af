/// One adjustable value of a method, described once: the command's option and its checks, a model's defaults, the
/// listing, the report, saved inversions and parity cases all follow from this row.
///
///     Parameter("cfg-scale", \.targetGuidance, .any, "weight of the target prompt")
///       .reported(as: "guidance").inCases("w_tgt")
public struct Parameter<Method>: Sendable {
  /// Name of the command's option, and of the setting everywhere else.
  public let option: String
  public let kind: SettingValue.Kind
  public let bounds: Bounds
  /// What a number counts; nil where it is a factor or a part.
  public private(set) var unit: String?
  /// Begins with a small letter and has no full stop.
  public let meaning: String
  /// A flag that stands for one value of this parameter.
  public private(set) var shorthand: Shorthand?

  /// False for a value that is the paper's and nobody else's: listed, reported and traced, but not to be set.
  package private(set) var isOption = true
  /// Whether it describes one concept of several.
  package private(set) var isOfConcept = false
  /// The option that decides which values are good for this one.
  private(set) var decidingOption: String?
  /// Under which name reports have it.
  package private(set) var reportName: String
  package private(set) var cases: CaseReader<Method>?

  private let place: Place
  private let read: @Sendable (Method) -> ParameterValue
  private let write: @Sendable (inout Method, SettingValue) throws(SettingError) -> Void
  private var report: @Sendable (Method) -> String
  private var idleReason: @Sendable (Method, EditOutline) -> String? = { _, _ in nil }
  private var shapes: @Sendable (Method) -> Bool = { _ in false }

  public struct Shorthand: Sendable, Equatable {
    public var option: String
    public var value: SettingValue
    public var meaning: String
  }

  /// Which value of the method it is. Key paths without captures are immutable.
  fileprivate struct Place: @unchecked Sendable { let path: AnyKeyPath }

  fileprivate init(
    _ option: String, _ path: AnyKeyPath, _ kind: SettingValue.Kind, _ bounds: Bounds, _ meaning: String,
    read: @escaping @Sendable (Method) -> ParameterValue,
    write: @escaping @Sendable (inout Method, SettingValue) throws(SettingError) -> Void
  ) {
    (self.option, self.kind, self.bounds, self.meaning) = (option, kind, bounds, meaning)
    (self.read, self.write) = (read, write)
    place = Place(path: path)
    reportName = option
    report = { read($0).text }
  }

  // MARK: What a method's table says beside

  package func counted(in unit: String) -> Self { changed { $0.unit = unit } }
  package var fixed: Self { changed { $0.isOption = false } }
  var ofConcept: Self { changed { $0.isOfConcept = true } }

  /// The name, or the unit too, that reports have had from their first version on.
  package func reported(as name: String? = nil, _ text: (@Sendable (Method) -> String)? = nil) -> Self {
    changed {
      $0.reportName = name ?? $0.reportName
      $0.report = text ?? $0.report
    }
  }
  package func shorthand(_ option: String, for value: SettingValue, _ meaning: String) -> Self {
    changed { $0.shorthand = Shorthand(option: option, value: value, meaning: meaning) }
  }
  /// - Parameter reason: "with …" or "without …" where the rest of an edit leaves no use for it, else nil.
  package func idle(_ reason: @escaping @Sendable (Method, EditOutline) -> String?) -> Self {
    changed { $0.idleReason = reason }
  }
  /// The inversion of a photo depends on it.
  package func shapesInversion(where condition: @escaping @Sendable (Method) -> Bool = { _ in true }) -> Self
  {
    changed { $0.shapes = condition }
  }
  /// What a model's or an inversion's defaults say of it holds for their own value of another option alone.
  package func dependent(on option: String) -> Self { changed { $0.decidingOption = option } }
  /// Its name in parity cases, where it has the option's unit.
  package func inCases(_ key: String) -> Self {
    let (kind, write) = (kind, write)
    return changed {
      $0.cases = CaseReader(keys: [key], isNeeded: kind.isNumber) {
        (method: inout Method, value: (String) -> SettingValue?) throws(CaseFault) in
        guard let value = value(key) else { return }
        do { try write(&method, value) } catch { throw CaseFault(key: key, expected: kind.words) }
      }
    }
  }
  /// Its names in parity cases, where its value is written in another way.
  package func inCases(
    _ keys: String..., isNeeded: Bool = false,
    read: @escaping @Sendable (inout Method, (String) -> SettingValue?) throws(CaseFault) -> Void
  ) -> Self {
    changed { $0.cases = CaseReader(keys: keys, isNeeded: isNeeded, read: read) }
  }
  package var notInCases: Self { changed { $0.cases = nil } }

  private func changed(_ change: (inout Self) -> Void) -> Self {
    var copy = self
    change(&copy)
    return copy
  }

  // MARK: On a method

  package func value(in method: Method) -> ParameterValue { read(method) }
  package func reportText(in method: Method) -> String { report(method) }
  /// Whether a part of the method lies at `path`.
  func lies(at path: AnyKeyPath) -> Bool { place.path == path }
  func whyIdle(in method: Method, _ outline: EditOutline) -> String? { idleReason(method, outline) }
  func shapesInversion(of method: Method) -> Bool { shapes(method) }

  func set(_ value: SettingValue, in method: inout Method) throws(SettingError) { try write(&method, value) }

  /// Throws `EditError.parameter` if the value is out of bounds or not finite.
  func check(_ method: Method, named name: String) throws(EditError) {
    let value = read(method)
    guard let number = value.number, !bounds.contains(number) else { return }
    throw .parameter(method: name, name: option, value: value.text, allowed: "\(bounds)")
  }

  /// The same parameter of a method that contains this one.
  package func inside<Outer>(_ path: WritableKeyPath<Outer, Method> & Sendable) -> Parameter<Outer> {
    let (read, write, report, idleReason, shapes) = (read, write, report, idleReason, shapes)
    var outer = Parameter<Outer>(
      option, (path as AnyKeyPath).appending(path: place.path)!, kind, bounds, meaning,
      read: { read($0[keyPath: path]) },
      write: { (method: inout Outer, value: SettingValue) throws(SettingError) in
        try write(&method[keyPath: path], value)
      })
    (outer.unit, outer.isOption, outer.isOfConcept) = (unit, isOption, isOfConcept)
    outer.decidingOption = decidingOption
    (outer.reportName, outer.report) = (reportName, { report($0[keyPath: path]) })
    if let shorthand { outer = outer.shorthand(shorthand.option, for: shorthand.value, shorthand.meaning) }
    outer.idleReason = { idleReason($0[keyPath: path], $1) }
    outer.shapes = { shapes($0[keyPath: path]) }
    outer.cases = cases.map { cases in
      CaseReader(keys: cases.keys, isNeeded: cases.isNeeded) {
        (method: inout Outer, value: (String) -> SettingValue?) throws(CaseFault) in
        try cases.read(&method[keyPath: path], value)
      }
    }
    return outer
  }
}

extension Parameter {
  package init(
    _ option: String, _ path: WritableKeyPath<Method, Int> & Sendable, _ bounds: Bounds, _ meaning: String
  ) {
    self.init(option, path, .wholeNumber, bounds, meaning, read: { .whole($0[keyPath: path]) }) {
      (method: inout Method, value: SettingValue) throws(SettingError) in
      method[keyPath: path] = try value.whole(option)
    }
  }

  package init(
    _ option: String, _ path: WritableKeyPath<Method, Double> & Sendable, _ bounds: Bounds, _ meaning: String
  ) {
    self.init(option, path, .number, bounds, meaning, read: { .number($0[keyPath: path]) }) {
      (method: inout Method, value: SettingValue) throws(SettingError) in
      method[keyPath: path] = try value.number(option)
    }
  }

  /// - Parameter rule: what holds where none is given.
  package init(
    _ option: String, _ path: WritableKeyPath<Method, Double?> & Sendable, orDerived rule: String,
    _ bounds: Bounds, _ meaning: String
  ) {
    self.init(
      option, path, .number, bounds, meaning,
      read: { $0[keyPath: path].map(ParameterValue.number) ?? .derived(rule) }
    ) { (method: inout Method, value: SettingValue) throws(SettingError) in
      method[keyPath: path] = try value.number(option)
    }
  }

  /// - Parameter rule: what holds where none is given.
  package init(
    _ option: String, _ path: WritableKeyPath<Method, Int?> & Sendable, orDerived rule: String,
    _ bounds: Bounds, _ meaning: String
  ) {
    self.init(
      option, path, .wholeNumber, bounds, meaning,
      read: { $0[keyPath: path].map(ParameterValue.whole) ?? .derived(rule) }
    ) { (method: inout Method, value: SettingValue) throws(SettingError) in
      method[keyPath: path] = try value.whole(option)
    }
  }

  package init(_ option: String, _ path: WritableKeyPath<Method, Bool> & Sendable, _ meaning: String) {
    self.init(option, path, .flag, .any, meaning, read: { .flag($0[keyPath: path]) }) {
      (method: inout Method, value: SettingValue) throws(SettingError) in
      method[keyPath: path] = try value.flag(option)
    }
  }

  package init<Word: RawRepresentable & CaseIterable & Sendable>(
    _ option: String, _ path: WritableKeyPath<Method, Word> & Sendable, _ meaning: String
  ) where Word.RawValue == String {
    let words = Word.allCases.map(\.rawValue)
    self.init(option, path, .word(of: words), .any, meaning, read: { .word($0[keyPath: path].rawValue) }) {
      (method: inout Method, value: SettingValue) throws(SettingError) in
      method[keyPath: path] = try Word(rawValue: value.word(option, of: words))!
    }
  }
}

/// What a parameter is set to.
package enum ParameterValue: Sendable, Equatable {
  case whole(Int)
  case number(Double)
  case flag(Bool)
  case word(String)
  /// Not given: the method derives it, as the text says.
  case derived(String)

  /// As a user would type it.
  package var text: String {
    switch self {
    case .whole(let value): "\(value)"
    case .number(let value): "\(value)"
    case .flag(let value): "\(value)"
    case .word(let value): value
    case .derived(let rule): rule
    }
  }

  var number: Double? {
    switch self {
    case .whole(let whole): Double(whole)
    case .number(let number): number
    case .flag, .word, .derived: nil
    }
  }
}
