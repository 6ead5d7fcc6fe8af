extension [String] {
  /// These words of a command and others; an option among those takes the place of the same one here, with its value, unless
  /// it is a list.
  func replaced(by words: [String]) -> [String] {
    let lists: Set = ["--task", "--concept", "--lora", "--rule", "--keep"]
    let options = Set(words.filter { $0.hasPrefix("-") }).subtracting(lists)
    var (kept, i) = ([String](), 0)
    while i < count {
      if options.contains(self[i]) { i += 2 } else {
        kept.append(self[i])
        i += 1
      }
    }
    return kept + words
  }
}
