/// A semantic direction as a caller writes it: what to add or remove, and what differs from the method's default.
public struct ConceptRequest: Sendable, Equatable {
  public var text: String
  public var direction = Concept.Direction.add
  public var scale: Double?
  public var warmup: Int?
  public var cooldown: Int?
  public var threshold: Double?
  public var weight: Double?
  /// Scale, warm-up and threshold of a kind of concept.
  public var preset: Preset?

  /// The presets of the LEDITS demo.
  public enum Preset: String, Sendable, CaseIterable {
    case style, face, object

    var concept: Concept {
      switch self {
      case .style: .style
      case .face: .face
      case .object: .object
      }
    }
  }

  public init(_ text: String) { self.text = text }

  /// A concept of which everything is said.
  package init(_ text: String, _ concept: Concept) {
    self.text = text
    (direction, weight) = (concept.direction, concept.weight)
    (scale, threshold) = (concept.scale, concept.threshold)
    (warmup, cooldown) = (concept.warmup, concept.cooldown)
  }

  /// Reads `[+|-]TEXT[:OPTION,…]`, where a colon inside round brackets, `(snow:1.3)`, belongs to the text; an option is a scale, a preset, or `warmup=`, `cooldown=`, `threshold=`,
  /// `weight=` with a number.
  ///
  /// - Throws: `EditError.concept`.
  public init(parsing written: String) throws(EditError) {
    var rest = written[...]
    if rest.first == "-" { direction = .remove }
    if rest.first == "-" || rest.first == "+" { rest = rest.dropFirst() }
    var options = Substring()
    if let colon = rest.lastIndex(of: ":"), !rest[colon...].isInsideBrackets(behind: rest[..<colon]) {
      options = rest[rest.index(after: colon)...]
      rest = rest[..<colon]
    }
    text = String(rest)
    guard !text.allSatisfy(\.isWhitespace) else {
      throw .concept(written, reason: "it has no text")
    }
    guard rest.endIndex < written.endIndex else { return }
    for option in options.split(separator: ",", omittingEmptySubsequences: false) {
      guard read(option) else { throw .concept(written, reason: "\"\(option)\" is no option") }
    }
  }

  private mutating func read(_ option: Substring) -> Bool {
    if let number = Double(option) {
      scale = number
      return true
    }
    if let preset = Preset(rawValue: String(option)) {
      self.preset = preset
      return true
    }
    let parts = option.split(separator: "=", maxSplits: 1)
    guard parts.count == 2 else { return false }
    let (number, whole) = (Double(parts[1]), Int(parts[1]))
    switch parts[0] {
    case "scale": scale = number
    case "warmup": warmup = whole
    case "cooldown": cooldown = whole
    case "threshold": threshold = number
    case "weight": weight = number
    default: return false
    }
    return ["warmup", "cooldown"].contains(parts[0]) ? whole != nil : number != nil
  }

  /// As it is read again.
  package var written: String {
    var options = [preset?.rawValue].compactMap { $0 }
    options += [scale.map { "scale=\($0)" }, threshold.map { "threshold=\($0)" }].compactMap { $0 }
    options += [warmup.map { "warmup=\($0)" }, cooldown.map { "cooldown=\($0)" }].compactMap { $0 }
    options += [weight.map { "weight=\($0)" }].compactMap { $0 }
    let sign = direction == .add ? "+" : "-"
    // The last colon ends the text, even where nothing follows that it belongs to.
    if options.isEmpty, !text.contains(":") { return sign + text }
    if options.isEmpty { options = ["weight=1.0"] }
    return "\(sign)\(text):\(options.joined(separator: ","))"
  }

  /// The concept with `standard` where the caller was silent.
  package func concept(standard: Concept) -> Concept {
    var concept = preset?.concept ?? standard
    concept.direction = direction
    concept.scale = scale ?? concept.scale
    concept.warmup = warmup ?? concept.warmup
    concept.cooldown = cooldown ?? concept.cooldown
    concept.threshold = threshold ?? concept.threshold
    concept.weight = weight ?? concept.weight
    return concept
  }
}

extension Substring {
  /// Whether a bracket that is open where this begins is closed in it.
  fileprivate func isInsideBrackets(behind before: Substring) -> Bool {
    var depth = 0
    for character in before {
      if character == "(" { depth += 1 } else if character == ")", depth > 0 { depth -= 1 }
    }
    return depth > 0 && contains(")")
  }
}
