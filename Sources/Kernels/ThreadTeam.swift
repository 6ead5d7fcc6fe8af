import Platform
import Synchronization

/// The threads of a pool at one loop after the other, without a lock for each index and without memory from the heap.
///
/// A loop is a count of indices that are `left` to take and one of those that are `unfinished`. Whoever takes an index,
/// even one that came late for another loop, holds up the loop that the index is of, and so may read what that loop is.
/// A worker that has lost its processor between loops therefore holds up nobody.
///
/// Whoever waits spins for a while, then sleeps. It does not spin on the processor of the thread that it waits for,
/// where both can be when others keep the rest busy.
///
/// `@unchecked Sendable`: addresses of atomics; `loop` is written only while nobody has an index, and read only by
/// those that have one.
final class ThreadTeam: @unchecked Sendable {
  static let mostIndices = 1 << 30
  /// The bit of `unfinished` that says that the caller sleeps.
  private static let callerSleeps: UInt32 = 1 << 31
  /// Several times what it takes to wake a thread, and about as long as the others work on their last index. Where a thread
  /// has lost its processor to another program, sleeping lets it have this one.
  private static let spinMicroseconds = 200

  private struct Loop { var count = 0, body: SharedClosure? }

  private let workers: Int, spins: Bool
  private let memory: UnsafeMutableRawPointer
  /// Indices that nobody has taken; below zero by one for every thread that came too late.
  private let left: UnsafeMutablePointer<Atomic<Int>>
  private let isClosing: UnsafeMutablePointer<Atomic<Bool>>
  private let loop: UnsafeMutablePointer<Loop>
  /// Indices that are not done. The caller sleeps on it.
  private let unfinished: WaitingWord
  /// Calls to the workers that sleep on it.
  private let calls: WaitingWord
  private let sleepers: UnsafeMutablePointer<Atomic<Int>>
  /// Held by whoever runs a loop.
  private let turn: UnsafeMutablePointer<Mutex<Void>>
  /// The processor of the caller when it started the loop, and of each worker while it takes indices; otherwise nil.
  private let places: [UnsafeMutablePointer<Atomic<Int>>]

  /// - Parameter spins: whether the threads wait for one another awake at first.
  init(workers: Int, spins: Bool) {
    (self.workers, self.spins) = (workers, spins)
    // What different threads write lies in different lines of the cache, which many processors fetch in pairs.
    let line = 128
    let memory = UnsafeMutableRawPointer.allocate(byteCount: (7 + workers) * line, alignment: line)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: (7 + workers) * line)
    func place<T: ~Copyable>(_ number: Int) -> UnsafeMutablePointer<T> {
      (memory + number * line).bindMemory(to: T.self, capacity: 1)
    }
    self.memory = memory
    (left, isClosing, loop, sleepers, turn) = (place(0), place(1), place(2), place(3), place(4))
    unfinished = WaitingWord(at: memory + 5 * line)
    calls = WaitingWord(at: memory + 3 * line + line / 2)
    places = (0...workers).map { place(6 + $0) }
    left.initialize(to: Atomic(0))
    isClosing.initialize(to: Atomic(false))
    loop.initialize(to: Loop())
    sleepers.initialize(to: Atomic(0))
    turn.initialize(to: Mutex(()))
    for place in places { place.initialize(to: Atomic(-1)) }
  }

  deinit {
    turn.deinitialize(count: 1)
    memory.deallocate()
  }

  /// Lets the workers end their lives.
  func close() {
    isClosing.pointee.store(true, ordering: .sequentiallyConsistent)
    call(workers)
  }
}

// MARK: The caller

extension ThreadTeam {
  /// Calls `body(index, thread)` for every index in `0..<count`; all are done when this returns.
  func run(_ count: Int, _ body: (Int, Int) -> Void) {
    turn.pointee.withLock { _ in
      loop.pointee.count = count
      SharedClosure.with(body, Unmanaged.passUnretained(self).toOpaque()) { body, team in
        Unmanaged<ThreadTeam>.fromOpaque(team)._withUnsafeGuaranteedRef { $0.runLoop(SharedClosure(body)) }
      }
    }
  }

  private func runLoop(_ body: SharedClosure) {
    let count = loop.pointee.count
    loop.pointee.body = body
    places[0].pointee.store(Processors.current ?? -1, ordering: .relaxed)
    unfinished.value.pointee.store(UInt32(count), ordering: .relaxed)
    left.pointee.store(count, ordering: .sequentiallyConsistent)
    call(min(count - 1, workers))
    takeIndices(thread: 0)
    waitForWorkers()
  }

  /// Wakes at most `count` of the workers that sleep. One that is about to sees what has changed, or is seen here.
  private func call(_ count: Int) {
    guard sleepers.pointee.load(ordering: .sequentiallyConsistent) > 0 else { return }
    calls.value.pointee.wrappingAdd(1, ordering: .sequentiallyConsistent)
    calls.wake(count)
  }

  private func waitForWorkers() {
    let unfinished = unfinished.value
    if spins,
      spin(
        Self.spinMicroseconds, while: { !isAnyWorker(on: Processors.current) },
        until: { unfinished.pointee.load(ordering: .acquiring) == 0 })
    {
      return
    }
    var now = unfinished.pointee.bitwiseOr(Self.callerSleeps, ordering: .acquiringAndReleasing).newValue
    while now != Self.callerSleeps {
      self.unfinished.sleep(while: now)
      now = unfinished.pointee.load(ordering: .acquiring)
    }
  }

  private func isAnyWorker(on processor: Int?) -> Bool {
    places.dropFirst().contains { $0.pointee.load(ordering: .relaxed) == processor }
  }
}

// MARK: Workers

extension ThreadTeam {
  /// The life of worker `thread`, counted from 1.
  func work(thread: Int) {
    while true {
      places[thread].pointee.store(Processors.current ?? -1, ordering: .relaxed)
      takeIndices(thread: thread)
      places[thread].pointee.store(-1, ordering: .relaxed)
      if !spins
        || !spin(Self.spinMicroseconds, while: { !isCaller(on: Processors.current) }, until: { hasNews })
      {
        let before = calls.value.pointee.load(ordering: .sequentiallyConsistent)
        sleepers.pointee.wrappingAdd(1, ordering: .sequentiallyConsistent)
        if !hasNews { calls.sleep(while: before) }
        sleepers.pointee.wrappingSubtract(1, ordering: .sequentiallyConsistent)
      }
      if isClosing.pointee.load(ordering: .relaxed) { return }
    }
  }

  private var hasNews: Bool {
    left.pointee.load(ordering: .sequentiallyConsistent) > 0
      || isClosing.pointee.load(ordering: .sequentiallyConsistent)
  }

  private func isCaller(on processor: Int?) -> Bool {
    places[0].pointee.load(ordering: .relaxed) == processor
  }

  /// Works through the current loop, as the caller does too.
  private func takeIndices(thread: Int) {
    var done: UInt32 = 0
    // Looking first keeps `left` from sinking further with every visit.
    while left.pointee.load(ordering: .relaxed) > 0 {
      let remaining = left.pointee.wrappingSubtract(1, ordering: .acquiring).oldValue
      guard remaining > 0 else { break }
      loop.pointee.body.unsafelyUnwrapped(loop.pointee.count - remaining, thread)
      done += 1
    }
    guard done > 0 else { return }
    let now = unfinished.value.pointee.wrappingSubtract(done, ordering: .acquiringAndReleasing).newValue
    if now == Self.callerSleeps { unfinished.wake(1) }
  }
}
