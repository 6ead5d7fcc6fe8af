import Editing
import Pentimento
import Synchronization
import Tensors
import TestSupport
import Testing

@Suite("Runs that share passes") struct PassGathererTests {
  /// Answers with the timestep, and remembers what it was asked; a timestep of 666 is one that it cannot answer.
  private final class Clerk: NoisePredictor {
    struct Refusal: Error, Equatable {}
    let lists = Mutex<[[Int]]>([])

    func predict(_ queries: [NoiseQuery]) async throws -> [NoisePrediction] {
      lists.withLock { $0.append(queries.map(\.timestep)) }
      if queries.contains(where: { $0.timestep == 666 }) { throw Refusal() }
      return queries.map { query in
        NoisePrediction(
          noise: Latent(like: query.latent, values: query.latent.values.map { _ in Float(query.timestep) }))
      }
    }
  }

  private func query(_ timestep: Int) -> NoiseQuery {
    NoiseQuery(
      Latent(height: 1, width: 1), timestep: timestep, Condition(context: HostTensor(shape: [1, 1])))
  }

  /// Runs that ask for these lists one after another, each giving the first values of its answers or how it failed.
  private func answers(
    _ clerk: Clerk, _ runs: [[[Int]]], isStopped: @escaping @Sendable () -> Bool = { false }
  ) async -> [[Float]?] {
    let gatherer = PassGatherer(runs: runs.count)
    return await withTaskGroup(of: (Int, [Float]?).self) { tasks in
      for (run, lists) in runs.enumerated() {
        tasks.addTask {
          var answers: [Float]? = []
          do {
            for list in lists {
              let noises = try await gatherer.ask(list.map(query), by: run)
              answers! += noises.map { $0.noise.values[0] }
            }
          } catch { answers = nil }
          await gatherer.leave(run)
          return (run, answers)
        }
      }
      tasks.addTask {
        await gatherer.drive(clerk, isStopped: isStopped)
        return (-1, nil)
      }
      var all = [[Float]?](repeating: nil, count: runs.count)
      for await (run, answers) in tasks where run >= 0 { all[run] = answers }
      return all
    }
  }

  @Test("ask in one list, in the order of the runs, as long as they live") func rounds() async {
    let clerk = Clerk()
    let found = await answers(clerk, [[[10, 11], [12, 13]], [[20], [21], [22]], [], [[40]]])
    #expect(found == [[10, 11, 12, 13], [20, 21, 22], [], [40]])
    #expect(clerk.lists.withLock { $0 } == [[10, 11, 20, 40], [12, 13, 21], [22]])
  }

  @Test("are told of a failure only where it is theirs") func failure() async {
    let clerk = Clerk()
    let found = await answers(clerk, [[[1], [2], [3]], [[5], [666], [7]], [[8], [9]]])
    #expect(found == [[1, 2, 3], nil, [8, 9]])
    #expect(clerk.lists.withLock { $0 } == [[1, 5, 8], [2, 666, 9], [2], [666], [9], [3]])
  }

  @Test("end before the next pass when they are stopped, and none of them hangs") func stop() async {
    let clerk = Clerk()
    let found = await answers(clerk, [[[1], [2]], [[3], [4], [5]]]) {
      clerk.lists.withLock { $0.count } == 1
    }
    #expect(found == [nil, nil])
    #expect(clerk.lists.withLock { $0 } == [[1, 3]])
  }

  @Test("end when the task that they are part of is cancelled") func cancellation() async {
    /// Waits until somebody ends it.
    struct Sleeper: NoisePredictor {
      func predict(_ queries: [NoiseQuery]) async throws -> [NoisePrediction] {
        try await Task.sleep(for: .seconds(600))
        return []
      }
    }
    let gatherer = PassGatherer(runs: 2)
    let work = Task {
      await withTaskGroup(of: Bool.self) { tasks in
        for run in 0..<2 {
          tasks.addTask {
            defer { Task { await gatherer.leave(run) } }
            do {
              _ = try await gatherer.ask([query(1)], by: run)
              return false
            } catch { return error is CancellationError }
          }
        }
        tasks.addTask {
          await gatherer.drive(Sleeper(), isStopped: { false })
          return true
        }
        return await tasks.reduce(true) { $0 && $1 }
      }
    }
    try? await Task.sleep(for: .milliseconds(50))
    work.cancel()
    #expect(await work.value)
  }
}
