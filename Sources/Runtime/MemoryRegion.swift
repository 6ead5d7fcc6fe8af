import Platform

/// Anonymous pages that belong to one owner and go back to the system at once when it ends.
struct MemoryRegion: ~Copyable {
  /// Aligned to a page.
  let address: UnsafeMutableRawPointer
  let byteCount: Int

  /// Pages count against the process only once they are touched.
  ///
  /// - Throws: `SystemRefusal.memory`, where address space or a limit does not suffice.
  init(byteCount: Int) throws(SystemRefusal) {
    let count = max(byteCount, 64)
    let mapped = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let mapped, mapped != MAP_FAILED else { throw .memory(bytes: count, code: errno) }
    address = mapped
    self.byteCount = count
  }

  var bytes: UnsafeMutableRawBufferPointer { .init(start: address, count: byteCount) }

  func fill(_ byte: UInt8) { address.initializeMemory(as: UInt8.self, repeating: byte, count: byteCount) }

  /// Gives the pages back; what is touched again is zero.
  func giveBack() { giveBack(0..<byteCount) }

  /// Gives back the pages that lie within these bytes as a whole.
  func giveBack(_ bytes: Range<Int>) {
    let page = MemoryPages.bytes
    let (start, end) = ((bytes.lowerBound + page - 1) / page * page, bytes.upperBound / page * page)
    // A page that the region ends in is its own.
    let last = bytes.upperBound == byteCount ? byteCount : end
    if start < last { madvise(address + start, last - start, MADV_DONTNEED) }
  }

  deinit { munmap(address, byteCount) }
}
