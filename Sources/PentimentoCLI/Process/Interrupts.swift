import Platform
import Synchronization

/// The signals that ask a run to end: SIGINT, SIGTERM, SIGHUP. The first cancels the run, a second ends the process.
///
/// One that the caller ignores stays ignored: `nohup` ignores SIGHUP, a shell SIGINT for what runs in its background.
/// One that is blocked at the start is heeded all the same: a caller's thread that blocks signals hands that on without
/// meaning it.
///
/// No handlers, in which next to nothing is allowed: the signals are blocked in every thread, and one thread waits
/// for them. It is there before the run begins, whatever the other threads do.
final class Interrupts: Sendable {
  /// The first that came, 0 for none.
  private let first = Atomic<Int32>(0)
  private let onInterrupt = Mutex<(@Sendable () -> Void)?>(nil)

  /// The signal that has asked the run to end.
  var signal: Int32? {
    let number = first.load(ordering: .relaxed)
    return number == 0 ? nil : number
  }

  /// Call it on the main thread before there are others: they inherit what is blocked.
  ///
  /// - Throws: `SystemRefusal.thread`.
  init() throws(SystemRefusal) {
    var heeded = sigset_t()
    sigemptyset(&heeded)
    for number in [SIGINT, SIGTERM, SIGHUP] where !Self.isIgnored(number) { sigaddset(&heeded, number) }
    pthread_sigmask(SIG_BLOCK, &heeded, nil)
    #if canImport(Darwin)
      var thread: pthread_t?
    #else
      var thread = pthread_t()
    #endif
    let watch = Watch(interrupts: self, signals: heeded)
    let argument = Unmanaged.passRetained(watch)
    let failure = pthread_create(&thread, nil, waitForSignals, argument.toOpaque())
    guard failure == 0 else {
      argument.release()
      throw .thread(code: failure)
    }
    #if canImport(Darwin)
      pthread_detach(thread!)
    #else
      pthread_detach(thread)
    #endif
  }

  /// What the first interrupt does; at once if it has come already.
  func onFirst(_ action: @escaping @Sendable () -> Void) {
    onInterrupt.withLock { $0 = action }
    if signal != nil { action() }
  }

  fileprivate func note(_ number: Int32) {
    first.store(number, ordering: .relaxed)
    onInterrupt.withLock { $0 }?()
  }

  private static func isIgnored(_ number: Int32) -> Bool {
    var action = sigaction()
    sigaction(number, nil, &action)
    #if canImport(Darwin)
      let handler = action.__sigaction_u.__sa_handler
    #else
      let handler = action.__sigaction_handler.sa_handler
    #endif
    return unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }
}

/// What the watching thread knows.
private final class Watch: Sendable {
  let interrupts: Interrupts
  let signals: sigset_t

  init(interrupts: Interrupts, signals: sigset_t) { (self.interrupts, self.signals) = (interrupts, signals) }
}

/// The life of the watching thread: it ends with the process.
private func waitForSignals(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  let watch = Unmanaged<Watch>.fromOpaque(argument!).takeRetainedValue()
  var (signals, number) = (watch.signals, Int32(0))
  guard sigwait(&signals, &number) == 0 else { return nil }
  watch.interrupts.note(number)
  // From here on they do what they do by themselves: this is the one thread that does not block them.
  pthread_sigmask(SIG_UNBLOCK, &signals, nil)
  while true { pause() }
}
