import FoundationEssentials
import JSON

/// Byte-pair encoding with CLIP's alphabet: the symbols of a word's bytes, joined by rank (Sennrich et al. 2016).
///
/// A byte is written as a printable character; the last one of a word carries `</w>`. Only ids are kept: what a
/// merge is called matters while the files are read and never again.
struct TokenizerVocabulary: Sendable {
  private struct Merge { var rank: Int32, id: Int32 }

  /// Id of each byte inside and at the end of a word, nil where the vocabulary lacks it.
  private var insideIDs = [Int32?](repeating: nil, count: 256)
  private var finalIDs = [Int32?](repeating: nil, count: 256)
  /// (left id, right id) → the merge.
  private var merges: [UInt64: Merge] = [:]

  /// - Parameters:
  ///   - ids: the content of `vocab.json`.
  ///   - merges: pairs of tokens, most frequent first.
  init(ids: TokenTable, merges pairs: TokenMerges) throws(TokenizerError) {
    for (byte, character) in zip(Self.byteOrder, Self.alphabet) {
      insideIDs[Int(byte)] = ids[character]
      finalIDs[Int(byte)] = ids[character + Self.wordEnd]
    }
    merges.reserveCapacity(pairs.count)
    let text = pairs.text
    for rank in 0..<pairs.count {
      let (left, right) = pairs[rank]
      guard let l = ids[text, left], let r = ids[text, right],
        let id = ids[text, left.lowerBound..<right.upperBound]
      else { throw .badMerge(line: rank + 1, text: pairs.line(rank)) }
      let merge = Merge(rank: Int32(rank), id: id)
      _ = { if $0 == nil { $0 = merge } }(&merges[Self.key(l, r)])
    }
  }

  /// Tokens of one word, given as UTF-8; `unknown` stands for a byte the vocabulary lacks.
  ///
  /// Of all pairs that can be joined, the one of the lowest rank is, of equals the leftmost, until none is left. A
  /// queue of pairs keeps that near-linear in the length of the word, which nothing limits.
  func encode(_ word: [UInt8], unknown: Int32) -> [Int32] {
    var symbols: [Int32?] = word.map { insideIDs[Int($0)] ?? unknown }
    guard let last = word.indices.last else { return [] }
    symbols[last] = finalIDs[Int(word[last])] ?? unknown

    // The symbols as a list: `next` of one that is joined to its left neighbour is never asked for again.
    var next = Array(1...word.count)
    var previous = Array(-1..<last)
    var queue = TokenizerQueue()
    func offer(_ i: Int) {
      guard i >= 0, next[i] < word.count, let merge = merge(symbols[i], symbols[next[i]]) else { return }
      queue.insert(rank: merge.rank, position: i)
    }
    for i in word.indices { offer(i) }
    while let (rank, i) = queue.removeFirst() {
      // What was queued may have been joined to something else since.
      guard next[i] < word.count, let merge = merge(symbols[i], symbols[next[i]]), merge.rank == rank else {
        continue
      }
      symbols[i] = merge.id
      symbols[next[i]] = nil
      next[i] = next[next[i]]
      if next[i] < word.count { previous[next[i]] = i }
      offer(previous[i])
      offer(i)
    }
    return symbols.compactMap { $0 }
  }

  private func merge(_ left: Int32?, _ right: Int32?) -> Merge? {
    guard let left, let right else { return nil }
    return merges[Self.key(left, right)]
  }

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  // MARK: The alphabet

  /// Bytes in the order of their ids: those that print as themselves, then the other 68.
  private static let byteOrder: [UInt8] = {
    let printable = Array(0x21...0x7E as ClosedRange<UInt8>) + Array(0xA1...0xAC) + Array(0xAE...0xFF)
    return printable + (0...255).filter { !printable.contains($0) }
  }()

  /// Behind the last byte of a word.
  private static let wordEnd = "</w>"

  /// How `byteOrder` is written: as itself (Latin-1), the others as U+0100…U+0143.
  private static let alphabet: [String] = byteOrder.enumerated().map { i, byte in
    String(Unicode.Scalar(i < 188 ? UInt32(byte) : UInt32(0x100 + i - 188))!)
  }
}

// MARK: Files

extension TokenizerVocabulary {
  /// The vocabulary that follows from CLIP's merges alone: alphabet, alphabet with `</w>`, one token per merge,
  /// then the begin and end marks. Of equal tokens the first counts.
  static func ids(from merges: TokenMerges, begin: String, end: String) -> TokenTable {
    var table = TokenTable(capacity: 2 * alphabet.count + merges.count + 2)
    for (i, character) in alphabet.enumerated() {
      table.insert(character, id: Int32(i))
      table.insert(character + wordEnd, id: Int32(alphabet.count + i))
    }
    let text = merges.text
    for i in 0..<merges.count {
      let (left, right) = merges[i]
      table.insert(text, left.lowerBound..<right.upperBound, id: Int32(2 * alphabet.count + i))
    }
    for (i, mark) in [begin, end].enumerated() {
      table.insert(mark, id: Int32(2 * alphabet.count + merges.count + i))
    }
    return table
  }

  /// The content of `vocab.json`.
  static func ids(parsing file: Data) throws(TokenizerError) -> TokenTable {
    // Scanned, not parsed to values first: fifty thousand words.
    var scanner = JSONScanner(Array(file))
    var ids = TokenTable(capacity: 0)
    do {
      try scanner.open("{")
      while let token = try scanner.nextKey(isFirst: ids.count == 0) {
        guard let id = Int32(try scanner.number()) else { throw scanner.failure("no id") }
        guard ids.insert(token, id: id) else { throw scanner.twice(token) }
      }
      try scanner.expectEnd()
    } catch {
      throw .badVocabulary(reason: "it is no JSON object of whole numbers")
    }
    return ids
  }

  /// The content of `merges.txt`: a line per merge, two tokens with a space between, after an optional `#version`.
  static func merges(parsing file: Data) throws(TokenizerError) -> TokenMerges {
    // In bytes: as Characters, "\r\n" would be one of them.
    let bytes = Array(file)
    let isValid = String(validating: bytes, as: UTF8.self) != nil
    var merges = TokenMerges(textBytes: bytes.count)
    var number = 0
    var start = 0
    while start < bytes.count {
      var end = start
      while end < bytes.count, bytes[end] != 0x0A { end += 1 }
      let line = start..<end
      start = end + 1
      guard !line.isEmpty else { continue }
      number += 1
      if number == 1, bytes[line].starts(with: "#version".utf8) { continue }
      let tokens = words(bytes, line)
      if tokens.count == 0 { continue }
      guard tokens.count == 2, isValid || String(validating: bytes[line], as: UTF8.self) != nil else {
        throw .badMerge(line: number, text: String(decoding: bytes[line], as: UTF8.self))
      }
      merges.append(bytes[tokens.first], bytes[tokens.second])
    }
    return merges
  }

  /// The first two words of a line, and how many there are.
  private static func words(_ bytes: [UInt8], _ line: Range<Int>) -> (
    count: Int, first: Range<Int>, second: Range<Int>
  ) {
    var (count, first, second) = (0, 0..<0, 0..<0)
    var i = line.lowerBound
    while i < line.upperBound {
      let start = i
      while i < line.upperBound, bytes[i] != 0x20, bytes[i] != 0x0D { i += 1 }
      if start < i {
        count += 1
        if count == 1 { first = start..<i } else if count == 2 { second = start..<i }
      }
      i += 1
    }
    return (count, first, second)
  }
}

extension Int32 {
  /// An id; nil for anything that is no whole number of 32 bits.
  init?(_ value: JSONValue) {
    switch value {
    case .integer(let number): self.init(exactly: number)
    case .real(let number): self.init(exactly: number)
    default: return nil
    }
  }
}
