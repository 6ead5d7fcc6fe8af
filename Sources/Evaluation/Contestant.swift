import Editing
import ImageFiles
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
    method = try MethodEntry.named(parts.first ?? "").about.name
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
    guard parts.count == 2, let setting = Setting(rawValue: parts[0]) else {
      throw EvaluationError.contestant(text, reason: "it is no SETTING=VALUE")
    }
    settings[setting] =
      Double(parts[1]).map(SettingValue.number)
      ?? Bool(parts[1]).map(SettingValue.flag) ?? .word(parts[1])
    label += Double(parts[1]) == nil ? "-\(parts[1])" : "-\(parts[0])\(parts[1])"
  }

  /// Every method that edits a picture, cheap ones first, with both samplers where its paper has both.
  public static let all = [
    "sdedit:sampler=ode", "sdedit:sampler=sde", "ddpm-inversion", "ledits", "ledits++", "cycle-diffusion",
    "ddim-inversion", "diffedit:sampler=ode", "diffedit:sampler=sde", "cycle-sde",
    "inpaint:sampler=ode:order=1", "inpaint:sampler=ode:order=2", "inpaint:sampler=sde:order=1",
    "inpaint:sampler=sde:order=2", "drag:sampler=ode", "drag:sampler=sde", "dds", "sds",
  ]

  /// Whether the method is meant for a pair: points are dragged, objects come and go inside a mask, and prompts
  /// do the rest.
  ///
  /// - Parameter kinds: if not empty, these alone, for every method that can do anything with them.
  public func suits(_ pair: EditPair, kinds: [String]) throws -> Bool {
    let needs = try MethodEntry.named(method).about.needs
    guard needs.contains(.image), !needs.contains(.points) || !pair.drags.isEmpty else { return false }
    if !kinds.isEmpty { return kinds.contains(pair.kind) }
    let objects = ["add", "remove", "replace"].contains(pair.kind)
    return needs.contains(.points) ? true : needs.contains(.mask) ? objects : !objects && pair.drags.isEmpty
  }

  /// The pair as the method wants it told.
  ///
  /// Concepts are the two captions: the source's removed, the target's added. LEDITS is run as the joint
  /// workflow, with the target as prompt too (methods.md 4.4).
  func request(_ pair: EditPair, _ geometry: Geometry, seed: UInt64) throws -> EditRequest {
    let entry = try MethodEntry.named(method)
    var request = EditRequest(
      method: method, width: geometry.padded.width, height: geometry.padded.height)
    request.picture = geometry.workingPicture(pair.source)
    request.settings = settings
    request.seed = seed
    let takes = entry.about.needs + entry.about.accepts
    if takes.contains(.targetPrompt) { request.prompt = pair.targetCaption }
    if takes.contains(.sourcePrompt), !takes.contains(.concepts) { request.sourcePrompt = pair.sourceCaption }
    if takes.contains(.concepts) {
      var (removed, added) = (ConceptRequest(pair.sourceCaption), ConceptRequest(pair.targetCaption))
      (removed.direction, added.direction) = (.remove, .add)
      request.concepts = [removed, added]
    }
    if entry.about.needs.contains(.mask) {
      request.mask = geometry.latentMask(pair.mask, entry.maskRule)
    }
    if takes.contains(.points) {
      request.moves = pair.drags.map { drag in
        let (from, to) = (
          geometry.workingPoint(x: drag[0], y: drag[1]), geometry.workingPoint(x: drag[2], y: drag[3])
        )
        return Drag.Move(from: .init(x: from.x, y: from.y), to: .init(x: to.x, y: to.y))
      }
    }
    return request
  }
}
