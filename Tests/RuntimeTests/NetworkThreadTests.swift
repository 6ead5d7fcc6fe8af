import Foundation
import Kernels
import NeuralGraph
import Runtime
import Synchronization
import Tensors
import TestSupport
import Testing

private var currentThread: UInt {
  #if canImport(Darwin)
    UInt(bitPattern: pthread_self())
  #else
    pthread_self()
  #endif
}

private final class Counter: Sendable {
  private let count = Atomic(0)
  var value: Int { count.load(ordering: .relaxed) }

  @discardableResult func next() -> Int { count.add(1, ordering: .relaxed).newValue }
}

@Suite("Network thread") struct NetworkThreadTests {
  @Test("runs work in the order in which it comes, on one thread that is nobody else's")
  func order() async throws {
    let thread = try NetworkThread()
    let place = try await thread.run { currentThread }
    for _ in 0..<20 { #expect(try await thread.run { currentThread } == place) }
    #expect(try await NetworkThread().run { currentThread } != place)
  }

  @Test("passes on what the work throws") func failure() async throws {
    struct Failure: Error {}
    let thread = try NetworkThread()
    await #expect(throws: Failure.self) { try await thread.run { throw Failure() } }
    #expect(try await thread.run { 7 } == 7)
  }

  /// More computations at once than the cooperative pool has threads, all waiting for a task: on the pool's own
  /// threads they would wait for ever (here: until the time is up).
  @Test("leaves the threads of the cooperative pool to other tasks") func otherTasks() async throws {
    let count = ProcessInfo.processInfo.activeProcessorCount + 2
    let begun = Counter()
    let released = DispatchSemaphore(value: 0)
    let answers = try await withThrowingTaskGroup(of: Bool?.self) { group in
      for _ in 0..<count {
        let thread = try NetworkThread()
        group.addTask {
          try await thread.run {
            begun.next()
            return released.wait(timeout: .now() + 20) == .success
          }
        }
      }
      group.addTask {
        while begun.value < count { await Task.yield() }
        for _ in 0..<count { released.signal() }
        return nil
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(answers.compactMap { $0 }.count == count)
    #expect(answers.compactMap { $0 }.allSatisfy { $0 })
  }

  @Test("lets a cancelled task stop after the operator that is at work") func cancellation() async throws {
    let builder = GraphBuilder()
    let g = builder.root
    var h = g.input("x", TensorType([4, 4, 16]))
    for _ in 0..<10 { h = try g.silu(h) }
    let (graph, output) = (builder.graph, h)
    let weights = try TemporaryCheckpoint([:])
    let read = try NetworkWeights(graph.weights, in: weights.checkpoint)
    let plan = try Planner(threads: 1).plan(graph, keep: ["y": output])
    let thread = try NetworkThread()
    let operators = Counter()
    let cancelled = DispatchSemaphore(value: 0)

    await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        try await thread.run {
          let executor = try Executor(graph, plan, weights: read, pool: ThreadPool(threads: 1))
          executor.onNode = { _, _ in
            if operators.next() == 3 { _ = cancelled.wait(timeout: .now() + 20) }
          }
          _ = try executor.run([["x": HostTensor.random([4, 4, 16], seed: 1)]])
        }
      }
      while operators.value < 3 { await Task.yield() }
      group.cancelAll()
      cancelled.signal()
      await #expect(throws: CancellationError.self) { try await group.next() }
    }
    #expect(operators.value == 3)
  }

  @Test("is gone with the last one who holds it, wherever that is") func lifetime() async throws {
    func threads() -> Int {
      (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count) ?? 0
    }
    let before = threads()
    for _ in 0..<300 {
      let thread = try NetworkThread()
      #expect(try await thread.run { 1 } == 1)
    }
    // Other tests come and go; three hundred do not.
    #expect(threads() < before + 150)
  }
}
