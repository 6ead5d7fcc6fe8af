import Files
import Platform
import Synchronization
import Testing

@Suite("A thread beside its owner") struct SerialThreadTests {
  struct Failure: Error, Equatable { var number: Int }

  @Test("does jobs in the order given") func order() throws {
    let numbers = Numbers()
    let thread = try SerialThread()
    for i in 0..<100 { thread.run { _ in numbers.all.withLock { $0.append(i) } } }
    try thread.wait()
    #expect(numbers.all.withLock { $0 } == Array(0..<100))
  }

  @Test("waits until few enough are left") func bounded() throws {
    let done = Counter()
    let thread = try SerialThread()
    for i in 1...50 {
      thread.run { _ in done.add() }
      try thread.wait(until: 1)
      #expect(done.value >= i - 1)
    }
  }

  @Test("says what failed first, and does nothing after it") func failure() throws {
    let done = Counter()
    let thread = try SerialThread()
    thread.run { _ in throw Failure(number: 1) }
    for i in 2...5 {
      thread.run { _ in
        done.add()
        throw Failure(number: i)
      }
    }
    #expect(throws: Failure(number: 1)) { try thread.wait() }
    #expect(throws: Failure(number: 1)) { try thread.wait(until: 3) }
    #expect(done.value == 0)
  }

  @Test("ends the job that runs when nobody wants its result", .timeLimit(.minutes(1))) func abandoned()
    throws
  {
    let (begun, ended) = (Gate(), Gate())
    do {
      let thread = try SerialThread()
      thread.run { check in
        begun.open()
        defer { ended.open() }
        while true { try check() }
      }
      while !begun.isOpen {}
    }
    #expect(ended.isOpen)
  }

  @Test("is refused where the system has no thread") func refused() {
    SystemThread.$allowance.withValue(SystemThread.Allowance(0)) {
      #expect(throws: SystemRefusal.thread(code: EAGAIN)) { try SerialThread() }
    }
  }

  private final class Numbers: Sendable {
    let all = Mutex<[Int]>([])
  }

  private final class Counter: Sendable {
    private let count = Atomic(0)
    var value: Int { count.load(ordering: .acquiring) }
    func add() { count.add(1, ordering: .acquiringAndReleasing) }
  }

  private final class Gate: Sendable {
    private let state = Atomic(false)
    var isOpen: Bool { state.load(ordering: .acquiring) }
    func open() { state.store(true, ordering: .releasing) }
  }
}
