import Platform
import Synchronization

/// A file's bytes as memory that the system may drop and read again whenever it likes.
///
/// A mapped file that becomes shorter (a download that restarts, a card that is pulled out) answers a read with
/// SIGBUS, which would end the process. Here it is answered with zeros, and `check` says what happened: whoever
/// computes with mapped bytes calls it before a result is used.
package final class FileMapping: Sendable {
  private let start: UInt
  private let count: Int
  private let reader: FileReader
  private let slot: Int

  /// - Throws: `unreadable` or `refused` if the system does not map it.
  package init(_ reader: FileReader) throws(FileError) {
    self.reader = reader
    let count = max(reader.count, 1)
    self.count = count
    let mapped = reader.withDescriptor { mmap(nil, count, PROT_READ, MAP_SHARED, $0, 0) }
    guard let mapped, mapped != MAP_FAILED else { throw .mapping(reader.label, bytes: count) }
    start = UInt(bitPattern: mapped)
    // What is needed next is asked for by name (`FileReader.prefetch`), so a fault reads what it needs and no more.
    madvise(mapped, count, MADV_RANDOM)
    guard let slot = MappingGuard.add(start, UInt(count)) else {
      munmap(mapped, count)
      throw .unreadable(file: reader.label, reason: "more than \(MappingGuard.capacity) files are mapped")
    }
    self.slot = slot
  }

  deinit {
    MappingGuard.remove(slot)
    munmap(UnsafeMutableRawPointer(bitPattern: start), count)
  }

  package func address(_ offset: Int) -> UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(bitPattern: start + UInt(offset))!
  }

  /// Takes the pages of a range out of the process, those that it shares with a neighbour too, since neither would
  /// ever give them back otherwise; they come back when they are touched.
  package func release(_ range: Range<Int>) {
    let pages = MemoryPages.touched(by: range).clamped(to: 0..<count)
    if !pages.isEmpty { madvise(address(pages.lowerBound), pages.count, MADV_DONTNEED) }
  }

  /// - Throws: `truncated` if the file has become shorter, or bytes could not be read since it was opened: it may
  ///   have grown again, and the zeros that stood for them have been computed with.
  package func check() throws(FileError) {
    // Behind the end of a file, the rest of its last page reads as zeros without a fault.
    let has = min(reader.currentCount, MappingGuard.firstFailure(slot) ?? .max)
    if has < reader.count { throw .truncated(file: reader.label, needs: reader.count, has: has) }
  }
}

/// The mapped ranges of the process, and the handler that answers a failed read of one with zeros.
private enum MappingGuard {
  static let capacity = 64

  /// Plain words, so that a signal handler may read and write them.
  private struct Slot {
    var start: UInt = 0, count: UInt = 0
    /// 1 + the offset of the first byte that could not be read; 0 if all could.
    var failed: UInt = 0
  }

  private nonisolated(unsafe) static let slots: UnsafeMutablePointer<Slot> = {
    let slots = UnsafeMutablePointer<Slot>.allocate(capacity: capacity)
    slots.initialize(repeating: Slot(), count: capacity)
    return slots
  }()
  private nonisolated(unsafe) static let previous = UnsafeMutablePointer<sigaction>.allocate(capacity: 1)
  private static let lock = Mutex(false)

  /// - Returns: the range's number; nil if there are too many.
  static func add(_ start: UInt, _ count: UInt) -> Int? {
    lock.withLock { isInstalled in
      guard let free = (0..<capacity).first(where: { slots[$0].count == 0 }) else { return nil }
      slots[free] = Slot(start: start, count: count)
      if !isInstalled {
        var action = sigaction()
        action.__sigaction_handler.sa_sigaction = { number, info, _ in MappingGuard.handle(number, info) }
        action.sa_flags = SA_SIGINFO
        previous.initialize(to: sigaction())
        sigaction(SIGBUS, &action, previous)
        isInstalled = true
      }
      return free
    }
  }

  static func remove(_ slot: Int) { lock.withLock { _ in slots[slot] = Slot() } }

  /// Offset of the first byte that could not be read.
  static func firstFailure(_ slot: Int) -> Int? {
    slots[slot].failed == 0 ? nil : Int(slots[slot].failed - 1)
  }

  /// Nothing here allocates or locks. A fault elsewhere is none of ours: it happens again under the handler that was
  /// there before. A signal that was sent does not come again by itself, so it is sent again.
  private static func handle(_ number: Int32, _ info: UnsafeMutablePointer<siginfo_t>?) {
    guard let info, info.pointee.si_code > 0 else {
      sigaction(number, previous, nil)
      raise(number)
      return
    }
    let address = UInt(bitPattern: info.pointee._sifields._sigfault.si_addr)
    for i in 0..<capacity where address >= slots[i].start && address - slots[i].start < slots[i].count {
      let saved = errno
      let zeros = mmap(
        UnsafeMutableRawPointer(bitPattern: slots[i].start), Int(slots[i].count), PROT_READ,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0)
      errno = saved
      guard zeros != MAP_FAILED else { break }
      if slots[i].failed == 0 { slots[i].failed = 1 + address - slots[i].start }
      return
    }
    sigaction(number, previous, nil)
  }
}
