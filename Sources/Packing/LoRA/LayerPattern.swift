/// A pattern for the end of a layer's path, as PEFT compares them (`re.match(rf"(.*\.)?({key})$", path)`): a regular
/// expression in the syntax of Python's `re`, behind the start of the path or one of its dots.
///
/// All states that a pattern can be in are followed at once (Thompson 1968), so a comparison takes as many steps as
/// path and pattern are long together, whatever the pattern; a backtracking one takes for ever on `(a+)+$`, and the
/// pattern comes from a file. Look-around and references to groups need backtracking and are refused.
package struct LayerPattern: Sendable {
  /// States of the automaton, at most.
  static let mostStates = 4096

  private enum Form: Sendable {
    /// Letters, digits, `_`, and dots, which stand for any character: the layer's path written out, as most are.
    case plain([UInt8])
    case automaton(PatternStates)
  }
  private let form: Form
  /// How much of a file's allowance it takes.
  let states: Int

  /// - Throws: `PatternError` with what is not understood.
  package init(_ text: String) throws(PatternError) {
    let bytes = Array(text.utf8)
    if bytes.allSatisfy({ isWord($0) || $0 == UInt8(ascii: ".") }) {
      (form, states) = (.plain(bytes), 0)
    } else {
      let automaton = try PatternStates(parsing: bytes, most: Self.mostStates)
      (form, states) = (.automaton(automaton), automaton.count)
    }
  }

  package func matches(_ path: String) -> Bool {
    let path = Array(path.utf8)
    switch form {
    case .plain(let pattern):
      let start = path.count - pattern.count
      guard start >= 0, start == 0 || path[start - 1] == UInt8(ascii: ".") else { return false }
      return zip(pattern, path[start...]).allSatisfy { $0 == $1 || $0 == UInt8(ascii: ".") }
    case .automaton(let states): return states.matchesEnd(of: path)
    }
  }
}

/// What of a pattern is not understood.
package struct PatternError: Error, Equatable {
  package var reason: String
}

func isWord(_ byte: UInt8) -> Bool {
  switch byte {
  case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"): true
  default: false
  }
}
