import Platform

/// Runs a task on the thread that waits for it.
///
/// The Swift runtime's own pool gets its threads from libdispatch, which tries for ever where the system refuses it
/// one. The work of a command is one task that is waited for anyway, so it needs none of them.
///
/// `@unchecked Sendable`: all state lies behind `mutex`.
final class CallingThread: TaskExecutor, @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let changed = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var jobs: [UnownedJob] = []
  private var outcome: Result<Void, any Error>?

  init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(changed, nil)
  }

  deinit {
    pthread_cond_destroy(changed)
    changed.deallocate()
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    withLock { jobs.append(job) }
  }

  /// Runs `work`, and whatever it awaits, until it has ended.
  ///
  /// - Parameter started: is given the task before any of it runs.
  /// - Throws: what `work` throws.
  func run(
    _ work: @escaping @Sendable () async throws -> Void, started: (Task<Void, Never>) -> Void
  ) throws {
    let task = Task(executorPreference: self) { [self] in
      let outcome: Result<Void, any Error>
      do { outcome = .success(try await work()) } catch { outcome = .failure(error) }
      withLock { self.outcome = outcome }
    }
    started(task)
    while let job = next() { job.runSynchronously(on: asUnownedTaskExecutor()) }
    try outcome!.get()
  }

  /// Waits for a job; nil once the work has ended.
  private func next() -> UnownedJob? {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while jobs.isEmpty, outcome == nil { pthread_cond_wait(changed, mutex) }
    return jobs.isEmpty ? nil : jobs.removeFirst()
  }

  private func withLock(_ body: () -> Void) {
    pthread_mutex_lock(mutex)
    body()
    pthread_cond_signal(changed)
    pthread_mutex_unlock(mutex)
  }
}
