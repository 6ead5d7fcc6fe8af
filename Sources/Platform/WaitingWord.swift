import CPlatform
import Synchronization

/// A word on which threads sleep until another thread has changed it and wakes them.
///
/// The kernel compares and lets fall asleep in one step, so a change is never missed; sleepers may wake for no reason,
/// so they look again.
package struct WaitingWord: @unchecked Sendable {
  /// The word, at an address that stays. `@unchecked Sendable`: it is only touched as an atomic.
  package let value: UnsafeMutablePointer<Atomic<UInt32>>

  /// - Parameter memory: 4 bytes that are aligned and nobody's yet.
  package init(at memory: UnsafeMutableRawPointer) {
    value = memory.bindMemory(to: Atomic<UInt32>.self, capacity: 1)
    value.initialize(to: Atomic(0))
  }

  package func sleep(while old: UInt32) { cplatform_sleep_while(address, old) }

  /// Wakes at most `count` sleepers.
  package func wake(_ count: Int) { cplatform_wake(address, Int32(clamping: count)) }

  private var address: UnsafePointer<UInt32> {
    UnsafeRawPointer(value).assumingMemoryBound(to: UInt32.self)
  }
}

/// Asks again and again, resting in between, for at most `microseconds` and as long as that is sensible; whether the
/// answer was yes.
///
/// For what is expected sooner than a sleeping thread would be awake again.
@inline(__always)
package func spin(_ microseconds: Int, while isSensible: () -> Bool, until isDone: () -> Bool) -> Bool {
  // Reading the clock takes as long as a rest or two.
  let restsPerReading = 16
  var end: Int?
  while isSensible() {
    for _ in 0..<restsPerReading {
      if isDone() { return true }
      cplatform_pause()
    }
    let now = nanoseconds()
    if let end, now >= end { return false }
    end = end ?? now + microseconds * 1000
  }
  return false
}

private func nanoseconds() -> Int {
  var now = timespec()
  clock_gettime(CLOCK_MONOTONIC, &now)
  return now.tv_sec * 1_000_000_000 + now.tv_nsec
}
