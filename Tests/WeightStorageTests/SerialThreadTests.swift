import Synchronization
import Testing
import WeightStorage

@Suite("A thread beside its owner") struct SerialThreadTests {
  struct Failure: Error, Equatable { var number: Int }

  @Test("does jobs in the order given") func order() throws {
    let done = Mutex<[Int]>([])
    let thread = SerialThread()
    for i in 0..<100 { thread.run { _ in done.withLock { $0.append(i) } } }
    try thread.wait()
    #expect(done.withLock { $0 } == Array(0..<100))
  }

  @Test("waits until few enough are left") func bounded() throws {
    let done = Atomic(0)
    let thread = SerialThread()
    for i in 1...50 {
      thread.run { _ in done.add(1, ordering: .relaxed) }
      try thread.wait(until: 1)
      #expect(done.load(ordering: .relaxed) >= i - 1)
    }
  }

  @Test("says what failed first, and does nothing after it") func failure() throws {
    let done = Atomic(0)
    let thread = SerialThread()
    thread.run { _ in throw Failure(number: 1) }
    for i in 2...5 {
      thread.run { _ in
        done.add(1, ordering: .relaxed)
        throw Failure(number: i)
      }
    }
    #expect(throws: Failure(number: 1)) { try thread.wait() }
    #expect(throws: Failure(number: 1)) { try thread.wait(until: 3) }
    #expect(done.load(ordering: .relaxed) == 0)
  }

  @Test("ends the job that runs when nobody wants its result", .timeLimit(.minutes(1))) func abandoned() {
    let (begun, ended) = (Gate(), Gate())
    do {
      let thread = SerialThread()
      thread.run { check in
        begun.open()
        defer { ended.open() }
        while true { try check() }
      }
      while !begun.isOpen {}
    }
    #expect(ended.isOpen)
  }

  private final class Gate: Sendable {
    private let state = Atomic(false)
    var isOpen: Bool { state.load(ordering: .acquiring) }
    func open() { state.store(true, ordering: .releasing) }
  }
}
