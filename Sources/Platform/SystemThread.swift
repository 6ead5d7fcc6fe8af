import Synchronization

/// A thread of the system, which has to be joined once.
///
/// `@unchecked Sendable`: a handle that nobody changes.
package struct SystemThread: @unchecked Sendable {
  #if canImport(Glibc)
    private var handle = pthread_t()
  #else
    private var handle: pthread_t?
  #endif

  /// Starts it.
  ///
  /// - Throws: `thread` if the system has none; `body` is not called then.
  package init(_ body: @escaping @Sendable () -> Void) throws(SystemRefusal) {
    guard Self.allowance?.take() != false else { throw .thread(code: EAGAIN) }
    let box = Unmanaged.passRetained(Body(body))
    let code = pthread_create(
      &handle, nil,
      { argument in
        let pointer: UnsafeMutableRawPointer? = argument
        Unmanaged<Body>.fromOpaque(pointer!).takeRetainedValue().run()
        return nil
      }, box.toOpaque())
    guard code == 0 else {
      box.release()
      throw .thread(code: code)
    }
  }

  /// Waits for its end.
  package func join() {
    #if canImport(Glibc)
      pthread_join(handle, nil)
    #else
      pthread_join(handle!, nil)
    #endif
  }

  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }
}

// MARK: Whether there are threads

extension SystemThread {
  /// Makes sure that the system has `count` threads more: starts so many, all at once, and ends them.
  ///
  /// For whoever is about to use what asks for threads and cannot be told that there are none: libdispatch, and with
  /// it the first `await`, tries again for ever.
  package static func require(_ count: Int) throws(SystemRefusal) {
    let gate = Gate()
    var threads: [SystemThread] = []
    var refusal: SystemRefusal?
    gate.isOpen.withLock { isOpen in
      do throws(SystemRefusal) {
        // Each waits for the lock that is held here.
        for _ in 0..<count { threads.append(try SystemThread { gate.isOpen.withLock { _ in } }) }
      } catch { refusal = error }
      isOpen = true
    }
    for thread in threads { thread.join() }
    if let refusal { throw refusal }
  }

  private final class Gate: Sendable {
    let isOpen = Mutex(false)
  }

  /// Threads that may still be started, in a test of what happens where there are no more.
  package final class Allowance: Sendable {
    private let left: Atomic<Int>
    package init(_ count: Int) { left = Atomic(count) }

    fileprivate func take() -> Bool { left.subtract(1, ordering: .relaxed).newValue >= 0 }
  }

  @TaskLocal package static var allowance: Allowance?
}
