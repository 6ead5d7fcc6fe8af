import Synchronization

/// What is done of one piece of work and the time that is left, told as often as the manner of the messages has it.
final class ProgressLine: Sendable {
  private struct State {
    var lastTold: ContinuousClock.Instant?
    /// When the first was done: what goes before says nothing of the rest.
    var first: (done: Int, time: ContinuousClock.Instant)?
  }

  private let unit: String
  private let started = ContinuousClock.now
  private let interval: Double
  /// Off a terminal, the beginning is no news.
  private let tellsFirst: Bool
  private let state = Mutex(State())

  init(_ unit: String = "evaluations") {
    self.unit = unit
    let (manner, isTerminal) = (Messages.manner, Messages.isTerminal)
    tellsFirst = manner.isJSON || isTerminal
    interval = manner.isJSON ? manner.interval ?? 1 : isTerminal ? 0.1 : manner.interval ?? 30
  }

  func show(_ done: Int, of total: Int) {
    guard total > 0 else { return }
    let now = ContinuousClock.now
    let told = state.withLock { state -> Messages.Progress? in
      if state.first == nil, done > 0 { state.first = (done, now) }
      let last = state.lastTold ?? (tellsFirst ? nil : started)
      if let last, (now - last).inSeconds < interval, done < total || !tellsFirst { return nil }
      state.lastTold = now
      var left: Double?
      if let first = state.first, done > first.done {
        left = (now - first.time).inSeconds / Double(done - first.done) * Double(max(total - done, 0))
      }
      return Messages.Progress(done: done, planned: total, unit: unit, secondsLeft: left)
    }
    if let told { Messages.show(told) }
  }

  func clear() { Messages.clear() }
}
