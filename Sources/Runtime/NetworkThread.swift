import Platform

/// A thread on which networks compute, as the executor of an actor: its work is part of the tasks that ask for it,
/// so a cancellation reaches it, and no thread of the cooperative pool waits while an operator runs.
///
/// Work is done in the order in which it comes, whatever its priority.
///
/// `@unchecked Sendable`: all that changes lies in `queue`, under its mutex; `thread` is written before anybody
/// else knows of the object, and read when nobody does any more.
package final class NetworkThread: SerialExecutor, @unchecked Sendable {
  private let queue = WorkQueue()
  #if canImport(Darwin)
    private var thread: pthread_t?
  #else
    private var thread = pthread_t()
  #endif

  /// - Throws: `SystemRefusal.thread`.
  package init() throws(SystemRefusal) {
    let owned = Unmanaged.passRetained(queue)
    let failure = pthread_create(&thread, nil, work, owned.toOpaque())
    guard failure == 0 else {
      owned.release()
      throw .thread(code: failure)
    }
  }

  /// The thread is gone when this is done; where it is the one that lets go, it is gone soon after.
  deinit {
    queue.close()
    #if canImport(Darwin)
      guard let thread else { return }
    #endif
    if pthread_equal(thread, pthread_self()) == 0 {
      pthread_join(thread, nil)
    } else {
      pthread_detach(thread)
    }
  }

  package func enqueue(_ job: consuming ExecutorJob) { queue.add(UnownedJob(job), for: self) }

  package func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

  /// Runs `body` on this thread, as part of the task that calls.
  package func run<R: Sendable>(_ body: @Sendable () throws -> R) async throws -> R {
    try await Visitor(thread: self).run(body)
  }
}

/// Brings a closure to a thread.
private actor Visitor {
  nonisolated let thread: NetworkThread
  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  init(thread: NetworkThread) { self.thread = thread }

  func run<R: Sendable>(_ body: @Sendable () throws -> R) throws -> R { try body() }
}

/// What is left to do, each piece with the executor that it came through: that one lives until the piece is done.
///
/// `@unchecked Sendable`: everything in `shared` is touched under its mutex.
private final class WorkQueue: @unchecked Sendable {
  private struct Shared {
    var mutex = pthread_mutex_t(), changed = pthread_cond_t()
    var work: [(job: UnownedJob, executor: NetworkThread)] = []
    var isClosed = false
  }

  private let shared = UnsafeMutablePointer<Shared>.allocate(capacity: 1)

  init() {
    shared.initialize(to: Shared())
    pthread_mutex_init(&shared.pointee.mutex, nil)
    pthread_cond_init(&shared.pointee.changed, nil)
  }

  deinit {
    pthread_cond_destroy(&shared.pointee.changed)
    pthread_mutex_destroy(&shared.pointee.mutex)
    shared.deinitialize(count: 1)
    shared.deallocate()
  }

  func add(_ job: UnownedJob, for executor: NetworkThread) { withLock { $0.work.append((job, executor)) } }

  func close() { withLock { $0.isClosed = true } }

  /// Waits for something to do; nil once the queue is closed.
  func next() -> (job: UnownedJob, executor: NetworkThread)? {
    pthread_mutex_lock(&shared.pointee.mutex)
    defer { pthread_mutex_unlock(&shared.pointee.mutex) }
    while shared.pointee.work.isEmpty {
      if shared.pointee.isClosed { return nil }
      pthread_cond_wait(&shared.pointee.changed, &shared.pointee.mutex)
    }
    return shared.pointee.work.removeFirst()
  }

  private func withLock(_ body: (inout Shared) -> Void) {
    pthread_mutex_lock(&shared.pointee.mutex)
    body(&shared.pointee)
    pthread_cond_signal(&shared.pointee.changed)
    pthread_mutex_unlock(&shared.pointee.mutex)
  }
}

/// The life of the thread.
private func work(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  let queue = Unmanaged<WorkQueue>.fromOpaque(argument!).takeRetainedValue()
  while let (job, executor) = queue.next() {
    // Whoever asked may let go of the executor before the job's last instruction.
    withExtendedLifetime(executor) { job.runSynchronously(on: executor.asUnownedSerialExecutor()) }
  }
  return nil
}
