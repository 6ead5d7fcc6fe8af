import Kernels
import Platform
import Synchronization
import TestSupport
import Testing

@Suite("Thread pool") struct ThreadPoolTests {
  /// Where threads spin before they sleep, and where they sleep at once.
  private static let machines = [Processors(allowed: 64, quota: nil), Processors(allowed: 1, quota: nil)]

  @Test("runs every index once, on threads it has", arguments: [1, 2, 5], machines)
  func everyIndexOnce(threads: Int, machine: Processors) throws {
    let pool = try ThreadPool(threads: threads, processors: machine)
    for count in [0, 1, 2, 3, 100] {
      // Each index writes only its own place.
      let places = UnsafeMutablePointer<Int>.allocate(capacity: 100)
      places.initialize(repeating: -1, count: 100)
      pool.run(count) { index, thread in places[index] = places[index] == -1 ? thread : -2 }
      for i in 0..<100 { #expect(i < count ? (0..<threads).contains(places[i]) : places[i] == -1) }
      places.deallocate()
    }
  }

  @Test("survives ten thousand loops and is gone when released", arguments: machines)
  func manyLoops(machine: Processors) throws {
    var sums = [0, 0, 0, 0]
    try sums.withUnsafeMutableBufferPointer { sums in
      nonisolated(unsafe) let sums = sums.baseAddress!
      for _ in 0..<10 {
        let pool = try ThreadPool(threads: 3, processors: machine)
        for _ in 0..<1000 { pool.run(4) { index, _ in sums[index] += index } }
      }
    }
    #expect(sums == [0, 10_000, 20_000, 30_000])
  }

  @Test(
    "sees in every loop what was written before it, and shows what was written in it", arguments: machines)
  func order(machine: Processors) throws {
    let pool = try ThreadPool(threads: 4, processors: machine)
    // A round of sums over neighbours: each loop reads what other threads wrote in the one before. Counts below, at
    // and above the number of threads.
    for count in [2, 3, 4, 5, 9] {
      var values = (0..<count).map { UInt64($0) }
      var expected = values
      for _ in 0..<500 {
        let old = expected
        for i in 0..<count { expected[i] = old[i] &* 3 &+ old[(i + 1) % count] }
        let before = values
        values.withUnsafeMutableBufferPointer { now in
          nonisolated(unsafe) let now = now.baseAddress!
          pool.run(count) { i, _ in now[i] = before[i] &* 3 &+ before[(i + 1) % count] }
        }
      }
      #expect(values == expected)
    }
  }

  @Test("works on whether its threads still spin, are about to sleep or have slept for long")
  func pauses() throws {
    let pool = try ThreadPool(threads: 3, processors: Self.machines[0])
    var done = 0
    // Around the microseconds for which they spin.
    for pause in [0, 1, 10, 30, 45, 50, 52, 55, 60, 80, 200, 20_000] {
      for _ in 0..<20 {
        usleep(UInt32(pause))
        let count = Atomic(0)
        pool.run(6) { _, _ in count.add(1, ordering: .relaxed) }
        done += count.load(ordering: .relaxed)
      }
    }
    #expect(done == 12 * 20 * 6)
  }

  @Test("waits for a thread that takes long, asleep in the end") func slowIndex() throws {
    let pool = try ThreadPool(threads: 2, processors: Self.machines[0])
    let taken = Atomic(0)
    let done = Atomic(0)
    pool.run(2) { _, thread in
      taken.add(1, ordering: .sequentiallyConsistent)
      // Each thread has one of the two.
      while taken.load(ordering: .sequentiallyConsistent) < 2 { sched_yield() }
      if thread == 1 { usleep(30_000) }
      done.add(1, ordering: .sequentiallyConsistent)
    }
    #expect(done.load(ordering: .sequentiallyConsistent) == 2)
  }

  @Test("lets a body run loops of another pool") func nested() throws {
    let outer = ThreadPool.of(3)
    let inner = ThreadPool.of(2)  // shared by all of them
    let count = Atomic(0)
    outer.run(9) { _, _ in
      let own = ThreadPool.of(2)
      for _ in 0..<50 {
        own.run(3) { _, _ in count.add(1, ordering: .relaxed) }
        inner.run(3) { _, _ in count.add(1, ordering: .relaxed) }
      }
    }
    #expect(count.load(ordering: .relaxed) == 9 * 50 * 6)
  }

  #if canImport(Glibc)
    @Test("makes no object for a loop") func noObject() throws {
      guard let objects = SwiftObjects() else { return }  // a runtime that does not let them be counted
      let sums = UnsafeMutablePointer<Int>.allocate(capacity: 4)
      sums.initialize(repeating: 0, count: 4)
      defer { sums.deallocate() }
      for machine in Self.machines {
        let pool = try ThreadPool(threads: 2, processors: machine)
        let made = objects.madeHere { for _ in 0..<1000 { pool.run(4) { index, _ in sums[index] += index } } }
        #expect(made == 0)
      }
      let boxes = objects.madeHere { for i in 0..<10 { Box.last = Box(i) } }
      #expect(boxes == 10)
    }
  #endif

  @Test("is refused where the system has not so many threads, and ends those that it has started")
  func refused() throws {
    for there in 0..<4 {
      SystemThread.$allowance.withValue(SystemThread.Allowance(there)) {
        #expect(throws: SystemRefusal.thread(code: EAGAIN)) { try ThreadPool(threads: 5) }
      }
    }
    try SystemThread.$allowance.withValue(SystemThread.Allowance(4)) { _ = try ThreadPool(threads: 5) }
    // One thread is the caller's own.
    try SystemThread.$allowance.withValue(SystemThread.Allowance(0)) { _ = try ThreadPool(threads: 1) }
  }

  @Test("runs one loop at a time when several tasks share it")
  func sharing() async {
    let pool = ThreadPool.of(2)
    await withTaskGroup(of: Int.self) { group in
      for task in 1...4 {
        group.addTask {
          let sums = UnsafeMutablePointer<Int>.allocate(capacity: 8)
          sums.initialize(repeating: 0, count: 8)
          for _ in 0..<200 { pool.run(8) { index, _ in sums[index] += task } }
          defer { sums.deallocate() }
          return (0..<8).reduce(0) { $0 + sums[$1] } - 1600 * task
        }
      }
      for await difference in group { #expect(difference == 0) }
    }
  }

  @Test("chooses a set that runs here, and knows it by name")
  func sets() {
    #expect(KernelSet.runnable.first?.name == "scalar")
    for set in KernelSet.runnable { #expect(KernelSet.named(set.name)?.name == set.name) }
    #expect(KernelSet.named("vax") == nil)
  }
}

#if canImport(Glibc)
  private final class Box: Sendable {
    let value: Int
    init(_ value: Int) { self.value = value }
    nonisolated(unsafe) static var last: Box?
  }

  /// Counts the objects that a thread makes, by the runtime's hook for instruments.
  private struct SwiftObjects {
    private typealias Make = @convention(c) (UnsafeRawPointer, Int, Int) -> UnsafeMutableRawPointer
    nonisolated(unsafe) private static var original: Make!
    private static let count = Atomic(0)
    private static let thread = Atomic<UInt>(0)

    private let make: UnsafeMutablePointer<Make>, isHooked: UnsafeMutablePointer<Bool>

    init?() {
      let program = dlopen(nil, RTLD_NOW)
      guard let make = dlsym(program, "_swift_allocObject"),
        let isHooked = dlsym(
          program, "_swift_enableSwizzlingOfAllocationAndRefCountingEntryPoints_forInstrumentsOnly")
      else { return nil }
      self.make = make.assumingMemoryBound(to: Make.self)
      self.isHooked = isHooked.assumingMemoryBound(to: Bool.self)
    }

    /// Objects that this thread makes while `body` runs; not to be asked by two threads at once.
    func madeHere(_ body: () -> Void) -> Int {
      Self.original = make.pointee
      Self.thread.store(UInt(pthread_self()), ordering: .sequentiallyConsistent)
      Self.count.store(0, ordering: .sequentiallyConsistent)
      make.pointee = { type, size, alignment in
        if SwiftObjects.thread.load(ordering: .relaxed) == UInt(pthread_self()) {
          SwiftObjects.count.add(1, ordering: .relaxed)
        }
        return SwiftObjects.original(type, size, alignment)
      }
      isHooked.pointee = true
      body()
      isHooked.pointee = false
      make.pointee = Self.original
      return Self.count.load(ordering: .sequentiallyConsistent)
    }
  }
#endif
