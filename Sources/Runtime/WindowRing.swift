/// Places in a window that is filled and emptied in one and the same order, round and round.
///
/// A block is the weights of one node, which lie together. What is left at the end of the window where the next block
/// does not fit stays empty until the blocks before it are gone; so a window that holds the largest block holds, one
/// after another, every sequence of them.
package struct WindowRing {
  package let byteCount: Int
  /// Blocks that are in use, the oldest first.
  private var blocks: [Range<Int>] = []

  package init(byteCount: Int) { self.byteCount = byteCount }

  /// - Parameter bytes: at most as many as the window has.
  /// - Returns: where the block lies; nil as long as older ones are in its way.
  package mutating func place(_ bytes: Int) -> Int? {
    precondition(bytes <= byteCount, "\(bytes) bytes for a window of \(byteCount)")
    guard let start = start(bytes) else { return nil }
    blocks.append(start..<start + bytes)
    return start
  }

  private func start(_ bytes: Int) -> Int? {
    guard let oldest = blocks.first, let newest = blocks.last else { return 0 }
    let end = newest.upperBound
    if newest.lowerBound < oldest.lowerBound { return end + bytes <= oldest.lowerBound ? end : nil }
    if end + bytes <= byteCount { return end }
    return bytes <= oldest.lowerBound ? 0 : nil
  }

  /// The oldest block is not needed any more.
  package mutating func release() { blocks.removeFirst() }
}
