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

  private let shared: SharedPointer
  private let thread: SystemThread

  /// - Throws: `thread` if the system has none.
  package init() throws(SystemRefusal) {
    let shared = SharedPointer()
    self.shared = shared
    do throws(SystemRefusal) {
      thread = try SystemThread { work(shared.value) }
    } catch {
      shared.deallocate()
      throw error
    }
  }

  /// Jobs that have not begun are dropped; the one that runs is told by its `check` and waited for.
  deinit {
    withLock { $0.isClosing = true }
    thread.join()
    shared.deallocate()
  }

  /// Adds a job. After one has failed, the others are dropped.
  package func run(_ job: @escaping Job) { withLock { $0.jobs.append(job) } }

  /// Waits until at most `count` jobs are left, the one that runs among them.
  ///
  /// - Throws: what the first job that failed has thrown.
  package func wait(until count: Int = 0) throws {
    let shared = shared.value
    pthread_mutex_lock(&shared.pointee.mutex)
    defer { pthread_mutex_unlock(&shared.pointee.mutex) }
    while shared.pointee.jobs.count > count && shared.pointee.failure == nil {
      pthread_cond_wait(&shared.pointee.done, &shared.pointee.mutex)
    }
    if let failure = shared.pointee.failure { throw failure }
  }

  private func withLock(_ body: (inout Shared) -> Void) {
    let shared = shared.value
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

/// `@unchecked Sendable`: what lies there is touched under its mutex.
private struct SharedPointer: @unchecked Sendable {
  let value: UnsafeMutablePointer<Shared>

  init() {
    value = .allocate(capacity: 1)
    value.initialize(to: Shared())
    pthread_mutex_init(&value.pointee.mutex, nil)
    pthread_cond_init(&value.pointee.added, nil)
    pthread_cond_init(&value.pointee.done, nil)
  }

  func deallocate() {
    pthread_cond_destroy(&value.pointee.added)
    pthread_cond_destroy(&value.pointee.done)
    pthread_mutex_destroy(&value.pointee.mutex)
    value.deinitialize(count: 1)
    value.deallocate()
  }
}

/// The life of the thread.
private func work(_ shared: UnsafeMutablePointer<Shared>) {
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
}
