import Editing
import Pentimento
import Tensors

/// A method with settings, as one row of the evaluation: `diffedit:sampler=sde`.
///
/// Settings that are not named are the model's defaults or the method's own.
public struct Contestant: Sendable, Equatable {
  public let method: String
  public var settings: MethodSettings = [:]
  /// `diffedit-sde`: names folders and rows.
  public private(set) var label: String

  /// Reads `METHOD[:SETTING=VALUE…]`; settings have the names of the command's options.
  ///
  /// - Throws: `RequestError.unknownMethod`, `EvaluationError.contestant`.
  public init(parsing text: String) throws {
    let parts = text.split(separator: ":").map(String.init)
    method = try EditMethod(named: parts.first ?? "").name
    label = method
    for part in parts.dropFirst() {
      do { try set(part) } catch {
        throw EvaluationError.contestant(text, reason: "\"\(part)\" is no SETTING=VALUE")
      }
    }
  }

  /// Takes one `SETTING=VALUE`; a word other than true and false stays a word.
  public mutating func set(_ text: String) throws {
    let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
    guard parts.count == 2, EditMethods.all.options.contains(parts[0]) else {
      throw EvaluationError.contestant(text, reason: "it is no SETTING=VALUE")
    }
    settings[parts[0]] = SettingValue(parsing: parts[1])
    label += Double(parts[1]) == nil ? "-\(parts[1])" : "-\(parts[0])\(parts[1])"
  }

  /// Every method that edits a picture, cheap ones first, with both samplers where its paper has both.
  public static let all = [
    "turbo-edit", "infedit", "ddpm-inversion:solver=dpm2", "sdedit:sampler=ode", "sdedit:sampler=sde",
    "ddpm-inversion", "ledits", "ledits++", "npi", "cycle-diffusion",
    "ddim-inversion", "diffedit:sampler=ode", "diffedit:sampler=sde", "cycle-sde",
    "inpaint:sampler=ode:order=1", "inpaint:sampler=ode:order=2", "inpaint:sampler=sde:order=1",
    "inpaint:sampler=sde:order=2", "drag:sampler=ode", "drag:sampler=sde", "dds", "pds", "sds",
    "pti:preset=quick", "pti", "null-text",
  ]

  /// Whether the method is meant for a pair: points are dragged, objects come and go inside a mask, and prompts
  /// do the rest.
  ///
  /// - Parameter kinds: if not empty, these alone, for every method that can do anything with them.
  public func suits(_ pair: EditPair, kinds: [String]) throws -> Bool {
    let needs = try EditMethod(named: method).about.needs
    guard needs.contains(.image), !needs.contains(.points) || !pair.drags.isEmpty else { return false }
    if !kinds.isEmpty { return kinds.contains(pair.kind) }
    let objects = ["add", "remove", "replace"].contains(pair.kind)
    return needs.contains(.points) ? true : needs.contains(.mask) ? objects : !objects && pair.drags.isEmpty
  }

  /// The pair as the method wants it told.
  ///
  /// Concepts are the two captions: the source's removed, the target's added. LEDITS is run as the joint
  /// workflow, with the target as prompt too (methods.md 4.4).
  func request(_ pair: EditPair, seed: UInt64) throws -> EditRequest {
    let edit = try EditMethod(named: method, settings: settings)
    var request = EditRequest(edit)
    request.picture = pair.source
    request.seed = seed
    let takes = edit.about.needs + edit.about.accepts
    if takes.contains(.targetPrompt) { request.prompt = pair.targetCaption }
    if takes.contains(.sourcePrompt), !takes.contains(.concepts) { request.sourcePrompt = pair.sourceCaption }
    if takes.contains(.concepts) {
      var (removed, added) = (ConceptRequest(pair.sourceCaption), ConceptRequest(pair.targetCaption))
      (removed.direction, added.direction) = (.remove, .add)
      request.concepts = [removed, added]
    }
    if edit.about.needs.contains(.mask) { request.mask = pair.mask }
    if takes.contains(.points) {
      request.moves = pair.drags.map { drag in
        Drag.Move(from: .init(x: drag[0], y: drag[1]), to: .init(x: drag[2], y: drag[3]))
      }
    }
    return request
  }
}
