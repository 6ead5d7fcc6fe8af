import Platform
import Synchronization
import Testing

@Suite("Threads of the system") struct SystemThreadTests {
  private final class Counter: Sendable {
    private let count = Atomic(0)
    var value: Int { count.load(ordering: .acquiring) }
    func add() { count.add(1, ordering: .acquiringAndReleasing) }
  }

  @Test("do their work before they are joined") func joined() throws {
    let counter = Counter()
    let threads = try (0..<5).map { _ in try SystemThread { counter.add() } }
    for thread in threads { thread.join() }
    #expect(counter.value == 5)
  }

  @Test("are there, or it is said that they are not; either way none is left", arguments: [0, 1, 7, 40])
  func required(count: Int) throws {
    try SystemThread.require(count)
    guard count > 0 else { return }
    for there in [0, count / 2, count - 1] {
      SystemThread.$allowance.withValue(SystemThread.Allowance(there)) {
        #expect(throws: SystemRefusal.thread(code: EAGAIN)) { try SystemThread.require(count) }
      }
    }
    try SystemThread.$allowance.withValue(SystemThread.Allowance(count)) { try SystemThread.require(count) }
  }
}

@Suite("Arguments of the program") struct ArgumentsTests {
  @Test("are those that the C library was handed") func same() {
    #expect(!arguments.isEmpty)
    #expect(arguments == CommandLine.arguments)
  }
}
