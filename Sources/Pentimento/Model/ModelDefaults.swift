import Editing
import JSON
import WeightStorage

/// What a model says about the settings it works best with: `pentimento.json` beside its parts.
///
///     {"defaults": {"cfg-scale": 3}, "methods": {"sdedit": {"strength": 0.6}}}
///
/// `defaults` hold for every method that takes the setting, `methods` for one and before them. Models of the papers
/// need none: the methods' own defaults were made for them.
public struct ModelDefaults: Sendable, Equatable {
  private var everywhere: MethodSettings = [:]
  private var byMethod: [String: MethodSettings] = [:]

  public init() {}

  /// - Throws: `ConfigurationError` naming the key that is unknown or of the wrong kind.
  package init(
    _ files: any ModelFiles, methods: [any EditingMethod.Type] = EditMethods.all
  ) throws {
    guard files.contains("pentimento.json") else { return }
    let json = try files.json("pentimento.json")
    for key in json.keys where !["defaults", "methods"].contains(key) {
      throw json[key].wrong("\"defaults\" or \"methods\"")
    }
    everywhere = try Self.settings(json["defaults"], methods.options)
    for method in json["methods"].keys {
      guard methods.named(method) != nil else {
        throw json["methods"][method].wrong("the name of a method")
      }
      byMethod[method] = try Self.settings(json["methods"][method], methods.options)
    }
  }

  private static func settings(_ object: ConfigValue, _ known: Set<String>) throws -> MethodSettings {
    var settings: MethodSettings = [:]
    for key in object.keys {
      guard known.contains(key) else { throw object[key].wrong("the name of a setting") }
      settings[key] =
        switch object[key].value {
        case .integer(let value)?: .number(Double(value))
        case .real(let value)?: .number(value)
        case .bool(let value)?: .flag(value)
        case .string(let value)?: .word(value)
        default: throw object[key].wrong("number, word, true or false")
        }
    }
    return settings
  }

  /// What the model says for one method: what it says for all, under what it says for this one.
  public func settings(for method: String) -> MethodSettings {
    everywhere.merging(byMethod[method] ?? [:]) { _, own in own }
  }
}
