import Platform

/// A thread that does one job after another, in the order given, beside its owner.
///
/// A thread and no task: its owner waits for it without giving up its own thread, which the tasks of a machine with
/// one core would not survive.
///
/// `@unchecked Sendable`: all state lies in `shared`, which is only touched under its mutex.
package final class SerialThread: @unchecked Sendable {
  /// - Parameter check: to be called now and then; throws `CancellationError` once nobody wants the result any more.
  package typealias Job = @Sendable (_ check: () throws -> Void) throws -> Void

  private let shared: UnsafeMutablePointer<Shared>
  #if canImport(Darwin)
    private var thread: pthread_t?
  #else
    private var thread = pthread_t()
  #endif

  package init() {
    shared = .allocate(capacity: 1)
    shared.initialize(to: Shared())
    pthread_mutex_init(&shared.pointee.mutex, nil)
    pthread_cond_init(&shared.pointee.added, nil)
    pthread_cond_init(&shared.pointee.done, nil)
    let failure = pthread_create(&thread, nil, work, shared)
    precondition(failure == 0, "a thread does not start: error \(failure)")
  }

  /// Jobs that have not begun are dropped; the one that runs is told by its `check` and waited for.
  deinit {
    withLock { $0.isClosing = true }
    #if canImport(Darwin)
      pthread_join(thread!, nil)
    #else
      pthread_join(thread, nil)
    #endif
    pthread_cond_destroy(&shared.pointee.added)
    pthread_cond_destroy(&shared.pointee.done)
    pthread_mutex_destroy(&shared.pointee.mutex)
    shared.deinitialize(count: 1)
    shared.deallocate()
  }

  /// Adds a job. After one has failed, the others are dropped.
  package func run(_ job: @escaping Job) { withLock { $0.jobs.append(job) } }

  /// Waits until at most `count` jobs are left, the one that runs among them.
  ///
  /// - Throws: what the first job that failed has thrown.
  package func wait(until count: Int = 0) throws {
    pthread_mutex_lock(&shared.pointee.mutex)
    defer { pthread_mutex_unlock(&shared.pointee.mutex) }
    while shared.pointee.jobs.count > count && shared.pointee.failure == nil {
      pthread_cond_wait(&shared.pointee.done, &shared.pointee.mutex)
    }
    if let failure = shared.pointee.failure { throw failure }
  }

  private func withLock(_ body: (inout Shared) -> Void) {
    pthread_mutex_lock(&shared.pointee.mutex)
    body(&shared.pointee)
    pthread_cond_signal(&shared.pointee.added)
    pthread_mutex_unlock(&shared.pointee.mutex)
  }
}

/// What the two threads share, under `mutex`.
private struct Shared {
  var mutex = pthread_mutex_t(), added = pthread_cond_t(), done = pthread_cond_t()
  /// The first is the one that runs.
  var jobs: [SerialThread.Job] = []
  var failure: (any Error)?
  var isClosing = false
}

/// The life of the thread.
private func work(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  let shared = argument!.assumingMemoryBound(to: Shared.self)
  pthread_mutex_lock(&shared.pointee.mutex)
  while !shared.pointee.isClosing {
    guard shared.pointee.failure == nil, let job = shared.pointee.jobs.first else {
      pthread_cond_wait(&shared.pointee.added, &shared.pointee.mutex)
      continue
    }
    pthread_mutex_unlock(&shared.pointee.mutex)
    var failure: (any Error)?
    do {
      try job {
        pthread_mutex_lock(&shared.pointee.mutex)
        defer { pthread_mutex_unlock(&shared.pointee.mutex) }
        if shared.pointee.isClosing { throw CancellationError() }
      }
    } catch { failure = error }
    pthread_mutex_lock(&shared.pointee.mutex)
    shared.pointee.jobs.removeFirst()
    shared.pointee.failure = failure
    pthread_cond_signal(&shared.pointee.done)
  }
  pthread_mutex_unlock(&shared.pointee.mutex)
  return nil
}
