/// Memory that is used again and again, aligned to 64 bytes: as long as the longest use so far.
package final class ReusedBuffer {
  private var all = UnsafeMutableRawBufferPointer(start: nil, count: 0)

  package init() {}

  deinit { all.deallocate() }

  /// `count` bytes that mean nothing, until the next call.
  package func bytes(_ count: Int) -> UnsafeMutableRawBufferPointer {
    if all.count < max(count, 1) {
      all.deallocate()
      all = .allocate(byteCount: max(count, 1), alignment: 64)
    }
    return UnsafeMutableRawBufferPointer(rebasing: all[..<count])
  }
}
