import Platform

/// One line on a terminal's standard error: what is done and the time left. Silent where nobody looks.
final class ProgressLine: Sendable {
  private let unit: String
  private let started = ContinuousClock.now
  private let isTerminal = isatty(STDERR_FILENO) == 1

  init(_ unit: String = "evaluations") { self.unit = unit }

  func show(_ done: Int, of total: Int) {
    guard isTerminal, total > 0 else { return }
    let seconds = Double((ContinuousClock.now - started).components.seconds)
    let left = done == 0 ? "" : ", \(Int(seconds / Double(done) * Double(total - done))) s left"
    writeToStandardError("\r\u{1B}[K\(done)/\(total) \(unit)\(left)")
  }

  func clear() {
    if isTerminal { writeToStandardError("\r\u{1B}[K") }
  }
}
