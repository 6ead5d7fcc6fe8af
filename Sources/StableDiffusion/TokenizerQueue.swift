/// Pairs that wait to be joined, lowest rank first, of equal ranks the leftmost: a binary heap.
struct TokenizerQueue {
  /// rank·2³² + position, so that one comparison orders both. The parent of entry i is entry (i − 1)/2.
  private var entries: [UInt64] = []

  mutating func insert(rank: Int32, position: Int) {
    var i = entries.count
    entries.append(UInt64(rank) << 32 | UInt64(position))
    while i > 0, entries[i] < entries[(i - 1) / 2] {
      entries.swapAt(i, (i - 1) / 2)
      i = (i - 1) / 2
    }
  }

  mutating func removeFirst() -> (rank: Int32, position: Int)? {
    guard let first = entries.first, let last = entries.popLast() else { return nil }
    if !entries.isEmpty {
      entries[0] = last
      var i = 0
      while 2 * i + 1 < entries.count {
        var child = 2 * i + 1
        if child + 1 < entries.count, entries[child + 1] < entries[child] { child += 1 }
        if entries[i] <= entries[child] { break }
        entries.swapAt(i, child)
        i = child
      }
    }
    return (Int32(first >> 32), Int(first & 0xFFFF_FFFF))
  }
}
