/// A regular expression as a list of states, of which the last is the end.
struct PatternStates: Sendable {
  enum State: Sendable {
    /// One of these bytes, then the next state.
    case byte(ByteSet)
    /// Both of these states, without a byte.
    case split(Int, Int)
    /// The next state, only at the start of the path, or only at its end.
    case start, end
    case matched
  }

  private var states: [State] = []
  private let text: [UInt8]
  private let most: Int
  private var position = 0
  private var depth = 0

  var count: Int { states.count }

  init(parsing text: [UInt8], most: Int) throws(PatternError) {
    (self.text, self.most) = (text, most)
    states = try alternatives() + [.matched]
    guard position == text.count else { throw PatternError(reason: "a \")\" too many") }
    guard states.count <= most else { throw tooLong }
  }

  private var tooLong: PatternError { PatternError(reason: "it is longer than any that is needed") }

  // MARK: Parsing. Pieces of states, whose jumps are relative.

  private func peek() -> UInt8? { position < text.count ? text[position] : nil }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard peek() == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func alternatives() throws(PatternError) -> [State] {
    depth += 1
    guard depth <= 32 else { throw PatternError(reason: "groups more than 32 deep") }
    defer { depth -= 1 }
    var piece = try sequence()
    while take("|") {
      let other = try sequence()
      // split → piece, jump over other | other
      piece = [.split(1, piece.count + 2)] + piece + [.split(other.count + 1, other.count + 1)] + other
      guard piece.count <= most else { throw tooLong }
    }
    return piece
  }

  private mutating func sequence() throws(PatternError) -> [State] {
    var piece: [State] = []
    while let next = peek(), next != UInt8(ascii: "|"), next != UInt8(ascii: ")") {
      piece += try repeated(atom())
      guard piece.count <= most else { throw tooLong }
    }
    return piece
  }

  private mutating func repeated(_ atom: [State]) throws(PatternError) -> [State] {
    var (least, greatest): (Int, Int?)
    switch peek() {
    case UInt8(ascii: "*"): (least, greatest, position) = (0, nil, position + 1)
    case UInt8(ascii: "+"): (least, greatest, position) = (1, nil, position + 1)
    case UInt8(ascii: "?"): (least, greatest, position) = (0, 1, position + 1)
    case UInt8(ascii: "{"):
      // Without numbers it stands for itself.
      guard let counts = counts() else { return atom }
      (least, greatest) = counts
    default: return atom
    }
    _ = take("?")  // which of several matches is none of our business
    if let next = peek(), "*+?".utf8.contains(next) { throw PatternError(reason: "a repeated repetition") }
    guard least <= 1000, greatest ?? 0 <= 1000, greatest ?? least >= least,
      (atom.count + 2) * max(greatest ?? least + 1, 1) <= most
    else { throw tooLong }
    var piece: [State] = []
    for _ in 0..<least { piece += atom }
    if let greatest {
      for _ in least..<greatest { piece += [.split(1, atom.count + 1)] + atom }
    } else {
      piece += [.split(1, atom.count + 2)] + atom + [.split(-atom.count - 1, -atom.count - 1)]
    }
    return piece
  }

  /// `{2}`, `{2,}`, `{,3}` or `{2,3}`, all of it consumed; nil, and nothing consumed, for anything else.
  private mutating func counts() -> (Int, Int?)? {
    guard let close = text[position...].firstIndex(of: UInt8(ascii: "}")) else { return nil }
    let parts = String(decoding: text[position + 1..<close], as: UTF8.self)
      .split(separator: ",", omittingEmptySubsequences: false)
    let numbers = parts.map { Int($0) }
    guard (1...2).contains(parts.count), parts.contains(where: { !$0.isEmpty }),
      zip(parts, numbers).allSatisfy({ $0.isEmpty || $1 ?? -1 >= 0 })
    else { return nil }
    position = close + 1
    return parts.count == 1 ? (numbers[0]!, numbers[0]) : (numbers[0] ?? 0, numbers[1])
  }

  private mutating func atom() throws(PatternError) -> [State] {
    let byte = text[position]
    position += 1
    switch byte {
    case UInt8(ascii: "("):
      if take("?") {
        if take("P") {
          guard take("<"), let close = text[position...].firstIndex(of: UInt8(ascii: ">")) else {
            throw PatternError(reason: "a group that refers to another")
          }
          position = close + 1
        } else if !take(":") {
          throw PatternError(reason: "a group that looks around")
        }
      }
      let piece = try alternatives()
      guard take(")") else { throw PatternError(reason: "a group without its end") }
      return piece
    case UInt8(ascii: "["): return [.byte(try set())]
    case UInt8(ascii: "."): return [.byte(ByteSet.all.subtracting([0x0A]))]
    case UInt8(ascii: "^"): return [.start]
    case UInt8(ascii: "$"): return [.end]
    case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"):
      throw PatternError(reason: "nothing to repeat")
    case UInt8(ascii: "\\"):
      switch peek() {
      case UInt8(ascii: "A"):
        position += 1
        return [.start]
      case UInt8(ascii: "Z"):
        position += 1
        return [.end]
      default: return [.byte(try escaped())]
      }
    default: return [.byte([byte])]
    }
  }

  /// What a backslash makes of the byte behind it.
  private mutating func escaped() throws(PatternError) -> ByteSet {
    guard let byte = peek() else { throw PatternError(reason: "a backslash at the end") }
    position += 1
    let digits = ByteSet { 0x30...0x39 ~= $0 }
    let words = ByteSet(isWord)
    let spaces: ByteSet = [0x20, 0x09, 0x0A, 0x0B, 0x0C, 0x0D]
    switch byte {
    case UInt8(ascii: "d"): return digits
    case UInt8(ascii: "D"): return ByteSet.all.subtracting(digits)
    case UInt8(ascii: "w"): return words
    case UInt8(ascii: "W"): return ByteSet.all.subtracting(words)
    case UInt8(ascii: "s"): return spaces
    case UInt8(ascii: "S"): return ByteSet.all.subtracting(spaces)
    case _ where !isWord(byte): return [byte]
    default: throw PatternError(reason: "\\\(Unicode.Scalar(byte))")
    }
  }

  /// `[a-z_]` behind its bracket.
  private mutating func set() throws(PatternError) -> ByteSet {
    let isNegated = take("^")
    var set: ByteSet = []
    var isFirst = true
    while isFirst || peek() != UInt8(ascii: "]") {
      isFirst = false
      guard let low = peek() else { throw PatternError(reason: "a set without its end") }
      position += 1
      if low == UInt8(ascii: "\\") {
        set.formUnion(try escaped())
      } else if peek() == UInt8(ascii: "-"), position + 1 < text.count,
        text[position + 1] != UInt8(ascii: "]")
      {
        let high = text[position + 1]
        guard low <= high, high != UInt8(ascii: "\\") else {
          throw PatternError(reason: "a range that is none")
        }
        position += 2
        set.formUnion(ByteSet { low...high ~= $0 })
      } else {
        set.formUnion([low])
      }
    }
    position += 1
    return isNegated ? ByteSet.all.subtracting(set) : set
  }

  // MARK: Matching

  /// Whether it matches from the start of the path, or from behind one of its dots, to the end.
  func matchesEnd(of path: [UInt8]) -> Bool {
    var active: [Int] = []
    var isActive = [Bool](repeating: false, count: states.count)
    func enter(_ first: Int, _ position: Int) {
      var waiting = [first]
      while let state = waiting.popLast() {
        guard !isActive[state] else { continue }
        isActive[state] = true
        active.append(state)
        switch states[state] {
        case .split(let a, let b): waiting += [state + b, state + a]
        case .start: if position == 0 { waiting.append(state + 1) }
        case .end: if position == path.count { waiting.append(state + 1) }
        case .byte, .matched: break
        }
      }
    }
    enter(0, 0)
    for (i, byte) in path.enumerated() {
      let before = active
      for state in before { isActive[state] = false }
      active.removeAll(keepingCapacity: true)
      for state in before {
        if case .byte(let set) = states[state], set.contains(byte) { enter(state + 1, i + 1) }
      }
      if byte == UInt8(ascii: ".") { enter(0, i + 1) }
    }
    return isActive[states.count - 1]
  }
}

/// Some of the 256 bytes.
struct ByteSet: Sendable, ExpressibleByArrayLiteral {
  private var words = SIMD4<UInt64>(repeating: 0)

  static let all = ByteSet { _ in true }

  init(arrayLiteral bytes: UInt8...) { self.init(bytes.contains) }

  init(_ isIn: (UInt8) -> Bool) {
    for byte in 0...255 as ClosedRange<UInt8> where isIn(byte) {
      words[Int(byte >> 6)] |= 1 << UInt64(byte & 63)
    }
  }

  func contains(_ byte: UInt8) -> Bool { words[Int(byte >> 6)] >> UInt64(byte & 63) & 1 == 1 }
  func subtracting(_ other: ByteSet) -> ByteSet {
    var set = self
    set.words &= ~other.words
    return set
  }
  mutating func formUnion(_ other: ByteSet) { words |= other.words }
}
