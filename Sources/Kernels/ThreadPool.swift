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
  #if canImport(Darwin)
    private let workers: UnsafeMutablePointer<pthread_t?>
  #else
    private let workers: UnsafeMutablePointer<pthread_t>
  #endif

  package init(threads: Int, kernels: KernelSet = .chosen) {
    precondition(threads > 0, "a pool of \(threads) threads")
    self.threads = threads
    self.kernels = kernels
    shared = .allocate(capacity: 1)
    shared.initialize(to: Shared())
    pthread_mutex_init(&shared.pointee.turn, nil)
    pthread_mutex_init(&shared.pointee.mutex, nil)
    pthread_cond_init(&shared.pointee.work, nil)
    pthread_cond_init(&shared.pointee.done, nil)
    workers = .allocate(capacity: threads)
    for worker in 1..<threads {
      let failure = pthread_create(workers + worker, nil, work, shared)
      precondition(failure == 0, "thread \(worker) of \(threads) does not start: error \(failure)")
    }
  }

  deinit {
    pthread_mutex_lock(&shared.pointee.mutex)
    shared.pointee.isClosing = true
    pthread_cond_broadcast(&shared.pointee.work)
    pthread_mutex_unlock(&shared.pointee.mutex)
    for worker in 1..<threads { pthread_join(workers[worker], nil) }
    workers.deallocate()
    pthread_cond_destroy(&shared.pointee.work)
    pthread_cond_destroy(&shared.pointee.done)
    pthread_mutex_destroy(&shared.pointee.mutex)
    pthread_mutex_destroy(&shared.pointee.turn)
    shared.deinitialize(count: 1)
    shared.deallocate()
  }

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
private func work(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  let shared = argument!.assumingMemoryBound(to: Shared.self)
  pthread_mutex_lock(&shared.pointee.mutex)
  shared.pointee.started += 1
  let number = shared.pointee.started
  while !shared.pointee.isClosing {
    takeIndices(thread: number, shared)
    if !shared.pointee.isClosing { pthread_cond_wait(&shared.pointee.work, &shared.pointee.mutex) }
  }
  pthread_mutex_unlock(&shared.pointee.mutex)
  return nil
}
