import Kernels
import Platform
import TestSupport
import Testing

@Suite("Thread pool") struct ThreadPoolTests {
  @Test("runs every index once, on threads it has", arguments: [1, 2, 5])
  func everyIndexOnce(threads: Int) {
    let pool = ThreadPool.of(threads)
    for count in [0, 1, 2, 3, 100] {
      // Each index writes only its own place.
      let places = UnsafeMutablePointer<Int>.allocate(capacity: 100)
      places.initialize(repeating: -1, count: 100)
      pool.run(count) { index, thread in places[index] = places[index] == -1 ? thread : -2 }
      for i in 0..<100 { #expect(i < count ? (0..<threads).contains(places[i]) : places[i] == -1) }
      places.deallocate()
    }
  }

  @Test("survives ten thousand loops and is gone when released")
  func manyLoops() {
    let sums = UnsafeMutablePointer<Int>.allocate(capacity: 4)
    sums.initialize(repeating: 0, count: 4)
    for _ in 0..<10 {
      let pool = ThreadPool.of(3)
      for _ in 0..<1000 { pool.run(4) { index, _ in sums[index] += index } }
    }
    #expect((0..<4).map { sums[$0] } == [0, 10_000, 20_000, 30_000])
    sums.deallocate()
  }

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
