/// The names of tensors as a tree of their parts between dots.
struct NameTree: Sendable {
  /// The names.
  let leaves: Set<String>
  /// What they begin with, in whole parts: `a` and `a.b` of `a.b.c`.
  private let branches: Set<String>

  init(_ names: some Sequence<String>) {
    leaves = Set(names)
    var branches: Set<String> = []
    for name in leaves {
      var end = name.lastIndex(of: ".")
      while let dot = end, branches.insert(String(name[..<dot])).inserted {
        end = name[..<dot].lastIndex(of: ".")
      }
    }
    self.branches = branches
  }

  /// Whether there is a tensor of this name or below it.
  func has(_ path: String) -> Bool { leaves.contains(path) || branches.contains(path) }

  /// How many of `path(0)`, `path(1)`, … there are.
  func count(_ path: (Int) -> String) -> Int { (0...).prefix { has(path($0)) }.count }
}
