/// What becomes of a foreign tensor.
enum KeyTarget: Equatable {
  /// The same tensor under another name.
  case renamed(String)
  /// Its equal row ranges are these tensors.
  case rows([String])
  /// The matrix with rows and columns exchanged.
  case transposed(String)
  /// A 1×1 convolution that is read as a linear layer.
  case linear(String)
  /// It means nothing to the networks.
  case ignored
}

/// The one table that translates foreign names: the first parts of a name, or all of it, to what they become.
///
/// The longest entry that a name begins with applies. What follows it stays: with `time_embed.0` →
/// `time_embedding.linear_1`, `time_embed.0.weight` is `time_embedding.linear_1.weight`.
struct KeyTable {
  /// Component ("unet") and target of each entry.
  private(set) var entries: [String: (component: String, target: KeyTarget)] = [:]
  /// The names of the file, and what they begin with.
  private let names: NameTree

  let family: Family

  init(names: NameTree, family: Family) {
    (self.names, self.family) = (names, family)
    ignore(Self.ignored)
  }

  /// Whether the file has a tensor of this name or below it.
  func has(_ path: String) -> Bool { names.has(path) }
  func isIgnored(_ prefix: String) -> Bool { entries[prefix]?.target == .ignored }

  /// The names of a component that the file has at a place.
  mutating func add(_ component: String, at place: Place) {
    ignore(Self.ignored(in: component, family).map { (place.prefix + $0.key, $0.what) })
    switch (component, place.naming) {
    case ("unet", .original): addDenoiser(place.prefix)
    case ("vae", .original): addAutoencoder(place.prefix)
    case (_, .clip): addCLIP(component, place.prefix)
    case (_, .openCLIP): addOpenCLIP(component, place.prefix)
    default:
      for name in names.leaves where name.hasPrefix(place.prefix) {
        let first = name.dropFirst(place.prefix.count).prefix { $0 != "." }
        if !first.isEmpty, !isIgnored(place.prefix + first) {
          add(component, place.prefix + first, .renamed(String(first)))
        }
      }
    }
  }

  mutating func add(_ component: String, _ foreign: String, _ target: KeyTarget) {
    entries[foreign] = (component, target)
  }

  private mutating func ignore(_ keys: [(key: String, what: String)]) {
    for (key, _) in keys { entries[key] = ("", .ignored) }
  }

  /// Entries below a place in both name trees, each given with its dot.
  mutating func add(_ component: String, _ foreign: String, _ own: String, _ parts: [(String, String)]) {
    for (from, to) in parts { add(component, foreign + from, .renamed(own + to)) }
  }

  /// The component of a tensor and what it becomes, with full names; nil where no entry applies.
  func target(of name: String) -> (component: String, target: KeyTarget)? {
    var prefix = name[...]
    while true {
      if let (component, target) = entries[String(prefix)] {
        let rest = name[prefix.endIndex...]
        return (component, target.appending(rest))
      }
      guard let dot = prefix.lastIndex(of: ".") else { return nil }
      prefix = prefix[..<dot]
    }
  }

  /// What the file calls a tensor of a component, or would call it if it had it; nil where no entry applies.
  func foreignName(of own: String, in component: String) -> String? {
    var best: (foreign: String, length: Int, isThere: Bool)?
    for (foreign, entry) in entries where entry.component == component {
      for name in entry.target.names where own == name || own.hasPrefix(name + ".") {
        let isThere = has(foreign)
        let isBetter =
          best.map { ($0.length, $0.isThere ? 1 : 0) < (name.utf8.count, isThere ? 1 : 0) } ?? true
        if isBetter { best = (foreign + own.dropFirst(name.count), name.utf8.count, isThere) }
      }
    }
    return best?.foreign
  }
}

extension KeyTarget {
  /// The tensors that it becomes.
  fileprivate var names: [String] {
    switch self {
    case .renamed(let name), .transposed(let name), .linear(let name): [name]
    case .rows(let names): names
    case .ignored: []
    }
  }

  fileprivate func appending(_ rest: Substring) -> KeyTarget {
    switch self {
    case .renamed(let name): .renamed(name + rest)
    case .rows(let names): .rows(names.map { $0 + rest })
    case .transposed(let name): .transposed(name + rest)
    case .linear(let name): .linear(name + rest)
    case .ignored: .ignored
    }
  }
}
