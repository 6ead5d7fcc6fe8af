import Platform

/// A fixed number of threads that share the indices of one loop at a time, and the kernels they run.
///
/// The caller's thread is thread 0 and works too. Whoever is free takes the next index, so which thread gets which is
/// chance: a loop body must compute the same for an index on every thread. A thread that has lost its processor, or
/// has a slow one, holds up the others by the index that it has.
package final class ThreadPool: Sendable {
  package let threads: Int
  package let kernels: KernelSet
  private let team: ThreadTeam
  private let workers: [SystemThread]

  /// - Parameter processors: what there is to run on. Where that is less than the threads, those that wait sleep at once.
  /// - Throws: `thread` if the system has not so many; those that were started have ended then.
  package init(
    threads: Int, kernels: KernelSet = .chosen, processors: Processors = .here
  ) throws(SystemRefusal) {
    precondition(threads > 0, "a pool of \(threads) threads")
    let team = ThreadTeam(workers: threads - 1, spins: processors.run(threads))
    var workers: [SystemThread] = []
    do throws(SystemRefusal) {
      for thread in 1..<threads { workers.append(try SystemThread { team.work(thread: thread) }) }
    } catch {
      team.close()
      for worker in workers { worker.join() }
      throw error
    }
    (self.threads, self.kernels, self.team, self.workers) = (threads, kernels, team, workers)
  }

  /// The caller's thread alone, which is always there.
  package init(aloneWith kernels: KernelSet = .chosen) {
    (threads, self.kernels, team, workers) = (1, kernels, ThreadTeam(workers: 0, spins: false), [])
  }

  deinit {
    team.close()
    for worker in workers { worker.join() }
  }

  /// Calls `body(index, thread)` once for every index in `0..<count` and returns when all are done. Several threads may
  /// call at once, one loop runs after the other; a body may run loops of other pools.
  /// One index or one thread runs on the caller without any lock.
  package func run(_ count: Int, _ body: (_ index: Int, _ thread: Int) -> Void) {
    if count <= 1 || threads == 1 {
      for index in 0..<max(count, 0) { body(index, 0) }
      return
    }
    precondition(count <= ThreadTeam.mostIndices, "a loop of \(count)")
    team.run(count, body)
  }
}
