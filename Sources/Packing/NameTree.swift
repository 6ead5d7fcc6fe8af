/// The names of tensors as a tree of their parts between dots.
struct NameTree: Sendable {
  /// The names.
  let leaves: Set<String>
  /// The same in order: those that begin alike are neighbours, and need not be kept a second time with every part.
  private let sorted: [String]

  init(_ names: some Sequence<String>) {
    leaves = Set(names)
    sorted = leaves.sorted()
  }

  /// Whether there is a tensor of this name or below it.
  func has(_ path: String) -> Bool {
    if leaves.contains(path) { return true }
    let start = path + "."
    // The first name that is not before it.
    var (low, high) = (0, sorted.count)
    while low < high {
      let middle = (low + high) / 2
      if sorted[middle] < start { low = middle + 1 } else { high = middle }
    }
    return low < sorted.count && sorted[low].hasPrefix(start)
  }

  /// How many of `path(0)`, `path(1)`, … there are.
  func count(_ path: (Int) -> String) -> Int { (0...).prefix { has(path($0)) }.count }
}
