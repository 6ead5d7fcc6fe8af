/// Tokens and their ids, found by their bytes.
///
/// A dictionary of strings would do, but a vocabulary has 49,000 of them, which are read whenever a text is encoded in a
/// new process: making and hashing strings took four fifths of the time to the first operator.
struct TokenTable: Sendable {
  private struct Entry { var start: Int32, end: Int32, hash: UInt32, id: Int32 }

  /// The tokens, one behind the other.
  private var text: [UInt8] = []
  private var entries: [Entry] = []
  /// Entries by their hashes, the next free place where one is taken; −1: free. A power of two, half of it free.
  private var slots: [Int32]

  init(capacity: Int) {
    var size = 16
    while size < 2 * capacity { size *= 2 }
    slots = [Int32](repeating: -1, count: size)
    entries.reserveCapacity(capacity)
    text.reserveCapacity(8 * capacity)
  }

  var count: Int { entries.count }

  /// Adds a token, unless it is there.
  @discardableResult
  mutating func insert(_ bytes: [UInt8], _ range: Range<Int>, id: Int32) -> Bool {
    if 2 * entries.count >= slots.count { grow() }
    let hash = Self.hash(bytes, range)
    let slot = slot(of: bytes, range, hash)
    guard slots[slot] < 0 else { return false }
    slots[slot] = Int32(entries.count)
    let start = Int32(text.count)
    text.append(contentsOf: bytes[range])
    entries.append(Entry(start: start, end: Int32(text.count), hash: hash, id: id))
    return true
  }

  @discardableResult
  mutating func insert(_ token: String, id: Int32) -> Bool {
    let bytes = Array(token.utf8)
    return insert(bytes, 0..<bytes.count, id: id)
  }

  subscript(bytes: [UInt8], range: Range<Int>) -> Int32? {
    let entry = slots[slot(of: bytes, range, Self.hash(bytes, range))]
    return entry < 0 ? nil : entries[Int(entry)].id
  }

  subscript(token: String) -> Int32? {
    let bytes = Array(token.utf8)
    return self[bytes, 0..<bytes.count]
  }

  /// All of them.
  var dictionary: [String: Int32] {
    Dictionary(
      entries.map { (String(decoding: text[Int($0.start)..<Int($0.end)], as: UTF8.self), $0.id) },
      uniquingKeysWith: { first, _ in first })
  }

  // MARK: Places

  /// Another in every process, so that no file can be made of tokens that all have one place.
  private static let seed = UInt64.random(in: .min ... .max)

  /// FNV-1a from `seed`, its halves mixed.
  private static func hash(_ bytes: [UInt8], _ range: Range<Int>) -> UInt32 {
    var hash = seed
    for i in range { hash = (hash ^ UInt64(bytes[i])) &* 0x100_0000_01b3 }
    return UInt32(truncatingIfNeeded: hash ^ hash >> 32)
  }

  /// The place of an entry, or where it would be.
  private func slot(of bytes: [UInt8], _ range: Range<Int>, _ hash: UInt32) -> Int {
    var slot = Int(hash) & (slots.count - 1)
    while slots[slot] >= 0 {
      let entry = entries[Int(slots[slot])]
      if entry.hash == hash, Int(entry.end - entry.start) == range.count,
        isText(at: entry.start, bytes, range)
      {
        break
      }
      slot = (slot + 1) & (slots.count - 1)
    }
    return slot
  }

  private func isText(at start: Int32, _ bytes: [UInt8], _ range: Range<Int>) -> Bool {
    for i in range where text[Int(start) + i - range.lowerBound] != bytes[i] { return false }
    return true
  }

  private mutating func grow() {
    slots = [Int32](repeating: -1, count: 2 * slots.count)
    for (i, entry) in entries.enumerated() {
      var slot = Int(entry.hash) & (slots.count - 1)
      while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
      slots[slot] = Int32(i)
    }
  }
}

extension TokenTable: Equatable {
  /// Whether they hold the same tokens with the same ids, in whatever order.
  static func == (a: TokenTable, b: TokenTable) -> Bool {
    a.count == b.count && a.entries.allSatisfy { b[a.text, Int($0.start)..<Int($0.end)] == $0.id }
  }
}

/// Pairs of tokens that are joined, the most frequent first.
struct TokenMerges: Sendable {
  /// The joined tokens, one behind the other.
  private(set) var text: [UInt8] = []
  private var ends: [(middle: Int32, end: Int32)] = []

  /// - Parameter textBytes: about as long as all tokens.
  init(textBytes: Int = 0) { text.reserveCapacity(textBytes) }

  mutating func append(_ left: some Collection<UInt8>, _ right: some Collection<UInt8>) {
    text.append(contentsOf: left)
    let middle = Int32(text.count)
    text.append(contentsOf: right)
    ends.append((middle, Int32(text.count)))
  }

  var count: Int { ends.count }

  /// Where the tokens of a pair lie in `text`, the second behind the first.
  subscript(_ i: Int) -> (left: Range<Int>, right: Range<Int>) {
    let start = i == 0 ? 0 : Int(ends[i - 1].end)
    let (middle, end) = ends[i]
    return (start..<Int(middle), Int(middle)..<Int(end))
  }

  /// A pair as `merges.txt` has it.
  func line(_ i: Int) -> String {
    let (left, right) = self[i]
    return String(decoding: text[left] + [0x20] + text[right], as: UTF8.self)
  }
}
