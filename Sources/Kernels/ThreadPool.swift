import Platform

/// A fixed number of threads that share the indices of one loop at a time, and the kernels they run.
///
/// The caller's thread is thread 0 and works too. Indices are handed out one by one, so which thread
/// gets which is chance: a loop body must compute the same for an index on every thread.
///
/// `@unchecked Sendable`: all state lies in `shared`, which is only touched under its mutex; one loop
/// runs at a time because `run` holds `turn`.
package final class ThreadPool: @unchecked Sendable {
  package let threads: Int
  package let kernels: KernelSet
  private let shared: UnsafeMutablePointer<Shared>
  private let workers: [SystemThread]

  /// - Throws: `thread` if the system has not so many; those that were started have ended then.
  package init(threads: Int, kernels: KernelSet = .chosen) throws(SystemRefusal) {
    precondition(threads > 0, "a pool of \(threads) threads")
    let shared = Shared.allocate()
    var workers: [SystemThread] = []
    do throws(SystemRefusal) {
      // Touched under its mutex by all of them, and alive until they are joined.
      nonisolated(unsafe) let shared = shared
      for _ in 1..<threads { workers.append(try SystemThread { work(shared) }) }
    } catch {
      Shared.end(workers, shared)
      throw error
    }
    (self.threads, self.kernels, self.shared, self.workers) = (threads, kernels, shared, workers)
  }

  /// The caller's thread alone, which is always there.
  package init(aloneWith kernels: KernelSet = .chosen) {
    (threads, self.kernels, shared, workers) = (1, kernels, Shared.allocate(), [])
  }

  deinit { Shared.end(workers, shared) }

  /// Calls `body(index, thread)` once for every index in `0..<count` and returns when all are done.
  /// One index or one thread runs on the caller without any lock.
  package func run(_ count: Int, _ body: (_ index: Int, _ thread: Int) -> Void) {
    if count <= 1 || threads == 1 {
      for index in 0..<max(count, 0) { body(index, 0) }
      return
    }
    pthread_mutex_lock(&shared.pointee.turn)
    // The closure outlives no call: every worker has left it before this function returns.
    withoutActuallyEscaping(body) { body in
      pthread_mutex_lock(&shared.pointee.mutex)
      shared.pointee.body = body
      shared.pointee.next = 0
      shared.pointee.count = count
      shared.pointee.unfinished = count
      pthread_cond_broadcast(&shared.pointee.work)
      takeIndices(thread: 0, shared)
      while shared.pointee.unfinished > 0 {
        pthread_cond_wait(&shared.pointee.done, &shared.pointee.mutex)
      }
      shared.pointee.body = nil
      pthread_mutex_unlock(&shared.pointee.mutex)
    }
    pthread_mutex_unlock(&shared.pointee.turn)
  }
}

/// What the threads of a pool share, under `mutex`.
private struct Shared {
  var turn = pthread_mutex_t(), mutex = pthread_mutex_t()
  var work = pthread_cond_t(), done = pthread_cond_t()
  var body: ((Int, Int) -> Void)?
  var next = 0, count = 0, unfinished = 0
  var started = 0
  var isClosing = false

  static func allocate() -> UnsafeMutablePointer<Shared> {
    let shared = UnsafeMutablePointer<Shared>.allocate(capacity: 1)
    shared.initialize(to: Shared())
    pthread_mutex_init(&shared.pointee.turn, nil)
    pthread_mutex_init(&shared.pointee.mutex, nil)
    pthread_cond_init(&shared.pointee.work, nil)
    pthread_cond_init(&shared.pointee.done, nil)
    return shared
  }

  /// Lets the threads end, waits for them, and gives the memory back.
  static func end(_ workers: [SystemThread], _ shared: UnsafeMutablePointer<Shared>) {
    pthread_mutex_lock(&shared.pointee.mutex)
    shared.pointee.isClosing = true
    pthread_cond_broadcast(&shared.pointee.work)
    pthread_mutex_unlock(&shared.pointee.mutex)
    for worker in workers { worker.join() }
    pthread_cond_destroy(&shared.pointee.work)
    pthread_cond_destroy(&shared.pointee.done)
    pthread_mutex_destroy(&shared.pointee.mutex)
    pthread_mutex_destroy(&shared.pointee.turn)
    shared.deinitialize(count: 1)
    shared.deallocate()
  }
}

/// Works through the current loop; called and left with the mutex held.
private func takeIndices(thread: Int, _ shared: UnsafeMutablePointer<Shared>) {
  while shared.pointee.next < shared.pointee.count {
    let index = shared.pointee.next
    shared.pointee.next += 1
    let body = shared.pointee.body!
    pthread_mutex_unlock(&shared.pointee.mutex)
    body(index, thread)
    pthread_mutex_lock(&shared.pointee.mutex)
    shared.pointee.unfinished -= 1
    if shared.pointee.unfinished == 0 { pthread_cond_signal(&shared.pointee.done) }
  }
}

/// The life of a worker thread.
private func work(_ shared: UnsafeMutablePointer<Shared>) {
  pthread_mutex_lock(&shared.pointee.mutex)
  shared.pointee.started += 1
  let number = shared.pointee.started
  while !shared.pointee.isClosing {
    takeIndices(thread: number, shared)
    if !shared.pointee.isClosing { pthread_cond_wait(&shared.pointee.work, &shared.pointee.mutex) }
  }
  pthread_mutex_unlock(&shared.pointee.mutex)
}
