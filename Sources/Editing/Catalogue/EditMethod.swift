/// A method together with the settings that somebody gave it; all others are the model's defaults or its own.
///
///     .ddpmInversion(steps: 50)
public struct EditMethod: Sendable, Equatable {
  package let type: any EditingMethod.Type
  package var settings: MethodSettings

  public init(_ type: any EditingMethod.Type) { self.init(type, settings: [:]) }

  package init(_ type: any EditingMethod.Type, settings: MethodSettings) {
    self.type = type
    self.settings = settings
  }

  public var name: String { type.about.name }
  public var about: MethodSummary { type.about }

  /// What the method is and can be told, as text.
  ///
  /// - Parameter model: the model's own defaults; nil where no model is at hand.
  package func explanation(model: MethodSettings?) -> String { type.explanation(model: model) }

  /// The same for programs.
  package func description(model: MethodSettings?) -> MethodDescription { type.description(model: model) }

  /// See `EditingMethod.defaults`.
  package func defaults(of kind: ModelKind, beside given: MethodSettings) -> MethodSettings {
    type.defaults(of: kind, beside: given)
  }

  public static func == (a: EditMethod, b: EditMethod) -> Bool {
    a.type == b.type && a.settings == b.settings
  }

  /// Whose value a setting has.
  package enum Source: String, Sendable, Codable { case caller, inversion, model, kind }

  /// A method with every value in place.
  package struct Configured: Sendable {
    package var method: any EditingMethod
    /// Settings that are not the method's own defaults.
    package var sources: [String: Source]
  }

  /// Puts settings in place, the caller's before those of a given inversion, these before the model's and these before
  /// those of models of its kind (`outline.kind`).
  ///
  /// - Throws: `SettingError` for a setting of the caller's that is of the wrong kind, that the method does not have,
  ///   or for which the rest of the edit leaves no use.
  package func configured(
    for outline: EditOutline = EditOutline(), inversion: MethodSettings = [:], model: MethodSettings = [:]
  ) throws(SettingError) -> Configured {
    try type.configured(settings, for: outline, inversion: inversion, model: model)
  }
}

extension EditingMethod {
  fileprivate static func configured(
    _ settings: MethodSettings, for outline: EditOutline, inversion: MethodSettings, model: MethodSettings
  ) throws(SettingError) -> EditMethod.Configured {
    var layers: [(source: EditMethod.Source, settings: MethodSettings)] = []
    for (source, settings) in [
      (EditMethod.Source.caller, settings), (.inversion, inversion), (.model, model),
    ] {
      var own = try spelledOut(settings)
      let preset = try preset(namedIn: &own)
      layers += [(source, own), (source, preset)]
    }
    keepFitting(&layers)
    let given = layers.reduce(MethodSettings()) { $0.merging($1.settings) { first, _ in first } }
    layers.append((.kind, defaults(of: outline.kind, beside: given)))
    var (method, sources) = (Self(), [String: EditMethod.Source]())
    for row in parameters where row.isOption {
      guard let (source, settings) = layers.first(where: { $0.settings[row.option] != nil }) else { continue }
      try row.set(settings[row.option]!, in: &method)
      sources[row.option] = source
    }
    for row in parameters where layers[0].settings[row.option] != nil {
      guard let reason = row.whyIdle(in: method, outline) else { continue }
      throw .idle(setting: row.option, method: name, reason: reason)
    }
    if let other = layers[0].settings.keys.sorted().first(where: { sources[$0] == nil }) {
      throw .notUsed(setting: other, method: name, takes: options.sorted())
    }
    return EditMethod.Configured(method: method, sources: sources)
  }

  /// Forgets what a layer below the caller's says of an option for another choice than the one that is made: a model's
  /// number of steps is none for another solver.
  fileprivate static func keepFitting(
    _ layers: inout [(source: EditMethod.Source, settings: MethodSettings)]
  ) {
    for row in parameters {
      guard let decider = parameters.first(where: { $0.isOption && $0.option == row.decidingOption }) else {
        continue
      }
      let standard = decider.value(in: Self()).setting
      let choices = layers.map { $0.settings[decider.option] }
      let made = choices.first { $0 != nil } ?? standard
      for i in layers.indices where layers[i].source != .caller && (choices[i] ?? standard) != made {
        layers[i].settings[row.option] = nil
      }
    }
  }

  /// Settings without shorthands.
  fileprivate static func spelledOut(_ settings: MethodSettings) throws(SettingError) -> MethodSettings {
    var settings = settings
    for row in parameters {
      guard let short = row.shorthand, let given = settings.removeValue(forKey: short.option) else {
        continue
      }
      guard try given.flag(short.option) else { continue }
      let other = settings.updateValue(short.value, forKey: row.option)
      if let other, other != short.value {
        throw .contradicts(setting: short.option, other: row.option)
      }
    }
    return settings
  }
}

extension EditMethod {
  /// The method with settings of its type's values; nil leaves a value to the model or the method.
  ///
  /// For the typed factories that stand in each method's file.
  init<Method: EditingMethod>(_ type: Method.Type, _ given: Given<Method>...) {
    self.init(type, settings: [:])
    for given in given {
      guard let value = given.value else { continue }
      guard let row = Method.parameters.first(where: { $0.isOption && $0.lies(at: given.path) }) else {
        preconditionFailure("\(Method.name) has no option for \(given.path)")
      }
      settings[row.option] = value
    }
  }
}

/// A value of a method that somebody may have given.
struct Given<Method> {
  let path: AnyKeyPath
  let value: SettingValue?

  init(_ path: KeyPath<Method, Int>, _ value: Int?) {
    (self.path, self.value) = (path, value.map { .number(Double($0)) })
  }
  init(_ path: KeyPath<Method, Double>, _ value: Double?) {
    (self.path, self.value) = (path, value.map(SettingValue.number))
  }
  init(_ path: KeyPath<Method, Double?>, _ value: Double?) {
    (self.path, self.value) = (path, value.map(SettingValue.number))
  }
  init(_ path: KeyPath<Method, Int?>, _ value: Int?) {
    (self.path, self.value) = (path, value.map { .number(Double($0)) })
  }
  init(_ path: KeyPath<Method, Bool>, _ value: Bool?) {
    (self.path, self.value) = (path, value.map(SettingValue.flag))
  }
  init<Word: RawRepresentable>(_ path: KeyPath<Method, Word>, _ value: Word?) where Word.RawValue == String {
    (self.path, self.value) = (path, value.map { .word($0.rawValue) })
  }
}
