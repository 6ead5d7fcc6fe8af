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
  ///   - ids: token → id, the content of `vocab.json`.
  ///   - merges: pairs of tokens, most frequent first.
  init(ids: [String: Int32], merges pairs: [(left: String, right: String)]) throws(TokenizerError) {
    for (byte, character) in zip(Self.byteOrder, Self.alphabet) {
      insideIDs[Int(byte)] = ids[character]
      finalIDs[Int(byte)] = ids[character + "</w>"]
    }
    merges.reserveCapacity(pairs.count)
    for (rank, (left, right)) in pairs.enumerated() {
      guard let l = ids[left], let r = ids[right], let id = ids[left + right] else {
        throw .badMerge(line: rank + 1, text: "\(left) \(right)")
      }
      let key = Self.key(l, r)
      if merges[key] == nil { merges[key] = Merge(rank: Int32(rank), id: id) }
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

  /// How `byteOrder` is written: as itself (Latin-1), the others as U+0100…U+0143.
  private static let alphabet: [String] = byteOrder.enumerated().map { i, byte in
    String(Unicode.Scalar(i < 188 ? UInt32(byte) : UInt32(0x100 + i - 188))!)
  }
}

// MARK: Files

extension TokenizerVocabulary {
  /// The vocabulary that follows from CLIP's merges alone: alphabet, alphabet with `</w>`, one token per merge,
  /// then the begin and end marks.
  static func ids(from merges: [(left: String, right: String)], begin: String, end: String) -> [String: Int32]
  {
    let tokens = alphabet + alphabet.map { $0 + "</w>" } + merges.map { $0.left + $0.right } + [begin, end]
    return Dictionary(zip(tokens, 0...)) { first, _ in first }
  }

  /// The content of `vocab.json`.
  static func ids(parsing file: Data) throws(TokenizerError) -> [String: Int32] {
    // Scanned, not parsed to values first: fifty thousand words.
    var scanner = JSONScanner(Array(file))
    var ids: [String: Int32] = [:]
    do {
      try scanner.open("{")
      while let token = try scanner.nextKey(isFirst: ids.isEmpty) {
        guard let id = Int32(try scanner.number()) else { throw scanner.failure("no id") }
        guard ids.updateValue(id, forKey: token) == nil else { throw scanner.twice(token) }
      }
      try scanner.expectEnd()
    } catch {
      throw .badVocabulary(reason: "it is no JSON object of whole numbers")
    }
    return ids
  }

  /// The content of `merges.txt`: a line per merge, two tokens with a space between, after an optional `#version`.
  static func merges(parsing file: Data) throws(TokenizerError) -> [(left: String, right: String)] {
    // In bytes: as Characters, "\r\n" would be one of them.
    var merges: [(left: String, right: String)] = []
    for (number, line) in file.split(separator: 0x0A).enumerated() {
      if number == 0, line.starts(with: "#version".utf8) { continue }
      let tokens = line.split { $0 == 0x20 || $0 == 0x0D }
      if tokens.isEmpty { continue }
      guard tokens.count == 2, let left = String(validating: tokens[0], as: UTF8.self),
        let right = String(validating: tokens[1], as: UTF8.self)
      else {
        throw .badMerge(line: number + 1, text: String(decoding: line, as: UTF8.self))
      }
      merges.append((left, right))
    }
    return merges
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
