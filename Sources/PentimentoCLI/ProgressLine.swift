import Glibc

/// One line on a terminal's standard error: evaluations done and time left. Silent where nobody looks.
final class ProgressLine: Sendable {
  private let started = ContinuousClock.now
  private let isTerminal = isatty(STDERR_FILENO) == 1

  func show(_ done: Int, of total: Int) {
    guard isTerminal, total > 0 else { return }
    let seconds = Double((ContinuousClock.now - started).components.seconds)
    let left = done == 0 ? "" : ", \(Int(seconds / Double(done) * Double(total - done))) s left"
    writeToStandardError("\r\u{1B}[K\(done)/\(total) evaluations\(left)")
  }

  func clear() {
    if isTerminal { writeToStandardError("\r\u{1B}[K") }
  }
}
