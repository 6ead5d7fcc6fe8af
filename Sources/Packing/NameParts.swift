extension String {
  /// Whether a text is part of a tensor's name; both are compared byte by byte. `contains` goes by characters, which
  /// takes a hundred times as long, and every name of a file is asked for dozens of parts.
  func hasPart(_ part: String) -> Bool {
    var (name, part) = (self, part)
    return name.withUTF8 { name in
      part.withUTF8 { part in
        guard let first = part.first, part.count <= name.count else { return part.isEmpty }
        return (0...name.count - part.count).contains { start in
          name[start] == first && (1..<part.count).allSatisfy { name[start + $0] == part[$0] }
        }
      }
    }
  }
}
