import Platform

/// Anonymous pages that belong to one owner and go back to the system at once when it ends.
struct MemoryRegion: ~Copyable {
  /// Aligned to a page.
  let address: UnsafeMutableRawPointer
  let byteCount: Int

  /// Pages count against the process only once they are touched.
  init(byteCount: Int) {
    self.byteCount = max(byteCount, 64)
    let mapped = mmap(nil, self.byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let mapped, mapped != MAP_FAILED else {
      fatalError("the system refused \(byteCount) bytes of memory (errno \(errno))")
    }
    address = mapped
  }

  var bytes: UnsafeMutableRawBufferPointer { .init(start: address, count: byteCount) }

  deinit { munmap(address, byteCount) }
}
