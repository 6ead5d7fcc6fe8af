/// Makes hostile files of sound ones, the same for the same seed.
///
/// It knows what files of these kinds are made of, and breaks that on purpose: whole numbers in text and in 64-bit
/// words, members of JSON objects, pieces of other files, lengths. Random bytes alone would die in the first check.
package struct Mutator {
  private var random: SplitMix
  /// Words that files of the kind are made of.
  private let words: [String]
  /// JSON, most of it.
  private let isText: Bool

  package init(seed: UInt64, words: [String] = [], isText: Bool = true) {
    random = SplitMix(state: seed)
    self.isText = isText
    self.words = words + Self.anyWords
  }

  private static let anyWords = [
    "{", "}", "[", "]", "\"", ",", ":", "-", "0", "1e999", "1e-999", "null", "true", "\\u0000", "\\ud800",
    "\u{FEFF}",
    "é", "e\u{301}", "{}", "[]", "\"\"", "[[[[[[[[", "0.5", "\0", "\n",
  ]

  /// Sizes at which something changes: nothing, tiles, words, overflows.
  private static let numbers: [Int64] = [
    0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 77, 255, 256, 257, 1000, 4096, 65535, 65536,
    1 << 20, 1 << 20 + 1, 1 << 24, 1 << 31 - 1, 1 << 31, 1 << 32, 1 << 53, 1 << 62, .max, .min, -1, -2, -64,
  ]

  package mutating func below(_ count: Int) -> Int { Int.random(in: 0..<max(count, 1), using: &random) }

  /// One to eight changes.
  ///
  /// - Parameter other: a sound file, of which pieces are taken.
  package mutating func mutate(_ bytes: [UInt8], other: [UInt8]) -> [UInt8] {
    var bytes = bytes
    for _ in 0...below(below(4) > 0 ? 2 : 8) {
      if bytes.isEmpty { bytes = [UInt8(ascii: "{")] }
      change(&bytes, other)
    }
    return bytes
  }

  private mutating func change(_ bytes: inout [UInt8], _ other: [UInt8]) {
    let place = below(bytes.count)
    // In text, a change that leaves it well-formed gets furthest.
    switch below(isText ? 24 : 9) {
    case 0: bytes[place] ^= 1 << UInt8(below(8))
    case 1: bytes[place] = UInt8(below(256))
    case 2: bytes.removeSubrange(place..<min(place + 1 + below(40), bytes.count))
    case 3: bytes.removeSubrange(place...)
    case 4: bytes.insert(contentsOf: words[below(words.count)].utf8, at: place)
    case 5:
      let start = below(other.count)
      bytes.replaceSubrange(
        place..<min(place + below(64), bytes.count), with: other[start..<min(start + below(64), other.count)])
    case 6...8: replaceLittleEndian(in: &bytes, at: place)
    case 9...12: replaceWord(in: &bytes, at: place)
    case 13...15: duplicateMember(in: &bytes, from: place)
    case 16...17: removeMember(in: &bytes, from: place)
    default: replaceNumber(in: &bytes, from: place)
    }
  }

  /// The next run of digits becomes another number.
  private mutating func replaceNumber(in bytes: inout [UInt8], from place: Int) {
    func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
    guard let start = bytes[place...].firstIndex(where: isDigit) else { return }
    let end = bytes[start...].firstIndex { !isDigit($0) } ?? bytes.count
    let old = Int(String(decoding: bytes[start..<min(end, start + 18)], as: UTF8.self)) ?? 0
    let text =
      switch below(6) {
      case 0: "\(old &+ 1)"
      case 1: "\(old &- 1)"
      case 2: "\(old &* 2)"
      case 3: "\(Double(Self.numbers[below(Self.numbers.count)]) / 3)"
      default: "\(Self.numbers[below(Self.numbers.count)])"
      }
    bytes.replaceSubrange(start..<end, with: text.utf8)
  }

  /// Four or eight bytes become a number.
  private mutating func replaceLittleEndian(in bytes: inout [UInt8], at place: Int) {
    let number = Self.numbers[below(Self.numbers.count)]
    for i in 0..<min(Bool.random(using: &random) ? 4 : 8, bytes.count - place) {
      bytes[place + i] = UInt8(truncatingIfNeeded: number >> (8 * i))
    }
  }

  /// A word of the kind takes the place of what stands between two quotation marks.
  private mutating func replaceWord(in bytes: inout [UInt8], at place: Int) {
    let quote = UInt8(ascii: "\"")
    let quotes = bytes.indices.filter { bytes[$0] == quote }
    // Every other one opens.
    let next = ((quotes.firstIndex { $0 >= place } ?? quotes.count) + 1) / 2 * 2
    guard next + 1 < quotes.count else { return }
    let (start, end) = (quotes[next], quotes[next + 1])
    bytes.replaceSubrange(start + 1..<end, with: words[below(words.count)].utf8)
  }

  /// What stands between two commas, or a comma and a bracket; mostly a member of an object or an element of a list.
  private func member(in bytes: [UInt8], from place: Int) -> Range<Int>? {
    func isEnd(_ byte: UInt8) -> Bool { ",{}[]".utf8.contains(byte) }
    guard let start = bytes[place...].firstIndex(where: isEnd),
      let end = bytes[(start + 1)...].firstIndex(where: isEnd)
    else { return nil }
    return start + 1..<end
  }

  private mutating func duplicateMember(in bytes: inout [UInt8], from place: Int) {
    guard let range = member(in: bytes, from: place), range.count < 1000 else { return }
    bytes.insert(contentsOf: [UInt8(ascii: ",")] + bytes[range], at: range.upperBound)
  }

  private mutating func removeMember(in bytes: inout [UInt8], from place: Int) {
    guard let range = member(in: bytes, from: place) else { return }
    // With one of the commas beside it.
    let comma = UInt8(ascii: ",")
    let first = bytes[range.lowerBound - 1] == comma ? range.lowerBound - 1 : range.lowerBound
    let isFirst = first == range.lowerBound && bytes[range.upperBound] == comma
    bytes.removeSubrange(first..<(isFirst ? range.upperBound + 1 : range.upperBound))
  }
}

/// SplitMix64 (Steele et al. 2014).
private struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
