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
  func giveBack() { madvise(address, byteCount, MADV_DONTNEED) }

  deinit { munmap(address, byteCount) }
}
