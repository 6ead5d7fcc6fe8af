import FoundationEssentials
import JSON
import Platform
import Synchronization

/// What goes to standard error while a command runs: lines for a person, or JSON lines for a program.
///
/// One voice for the whole process, since the terminal is one: what is said takes the line of progress away first.
enum Messages {
  /// How much is said, and how.
  struct Manner: Sendable {
    var isQuiet = false
    var isVerbose = false
    var progress = ProgressForm.line
    /// Seconds from one line of progress to the next; nil: 30 between lines of text, 1 between those of JSON.
    var interval: Double?

    var isJSON: Bool { progress == .json }
  }

  fileprivate struct State {
    var manner = Manner()
    var isLineShown = false
    var stage: (name: String, began: ContinuousClock.Instant)?
  }

  private static let state = Mutex(State())
  private static let began = ContinuousClock.now
  /// Whether a line can be written over.
  static let isTerminal =
    isatty(STDERR_FILENO) == 1 && !["", "dumb"].contains(ProcessInfo.processInfo.environment["TERM"] ?? "")

  /// Says everything in this manner from now on.
  static func use(_ manner: Manner) {
    _ = began
    state.withLock { $0.manner = manner }
  }
  static var manner: Manner { state.withLock { $0.manner } }
  /// Since the program began.
  static var secondsElapsed: Double { max((ContinuousClock.now - began).inSeconds, 0) }

  // MARK: Lines

  /// What somebody may want to know.
  static func note(_ line: String) {
    state.withLock { state in
      guard !state.manner.isQuiet else { return }
      state.say(line, event: "note")
    }
  }

  /// What only somebody who wants to look inside may want to know.
  static func detail(_ line: String) { if manner.isVerbose { note(line) } }

  /// Why something failed. It is said in every manner.
  ///
  /// - Parameter status: what the command ends with because of it.
  static func complain(_ line: String, status: ExitStatus? = nil) {
    state.withLock { $0.say(line, event: "error", status) }
  }

  /// A table for people, of what JSON has elsewhere.
  static func show(_ table: String) {
    state.withLock { state in
      guard !state.manner.isQuiet, !state.manner.isJSON else { return }
      state.clearLine()
      writeToStandardError(table.printable(keepsLines: true) + "\n")
    }
  }

  // MARK: Stages

  /// A stage begins, and the one before has ended; nil where none begins.
  static func stage(_ name: String?) {
    let now = ContinuousClock.now
    let ended = state.withLock { state in
      let ended = state.stage
      if ended?.name != name {
        state.stage = name.map { ($0, now) }
        if let name, state.manner.isJSON { state.event("stage", [("stage", .string(name))]) }
      }
      return ended?.name == name ? nil : ended
    }
    if let ended { detail("\(ended.name) took \((now - ended.began).inSeconds.rounded(to: 2)) s") }
  }

  // MARK: Progress

  /// What is done of what was planned.
  struct Progress: Sendable {
    var done: Int
    var planned: Int
    /// "evaluations"
    var unit: String
    /// Nil while nothing is known of it.
    var secondsLeft: Double?

    var line: String {
      "\(done)/\(planned) \(unit)" + (secondsLeft.map { ", \(Int($0.rounded(.up))) s left" } ?? "")
    }
  }

  /// Replaces the line that a terminal shows, adds one elsewhere.
  static func show(_ progress: Progress) {
    state.withLock { state in
      guard !state.manner.isQuiet else { return }
      switch state.manner.progress {
      case .none: break
      case .json:
        var fields: [(String, JSONValue)] = [
          ("unit", .string(progress.unit)), ("done", .integer(progress.done)),
          ("planned", .integer(progress.planned)),
        ]
        if let stage = state.stage { fields.append(("stage", .string(stage.name))) }
        if let left = progress.secondsLeft { fields.append(("secondsLeft", .real(left.rounded(to: 3)))) }
        state.event("progress", fields)
      case .line where isTerminal:
        writeToStandardError("\r\u{1B}[K\(progress.line)")
        state.isLineShown = true
      case .line: writeToStandardError("pentimento: \(progress.line)\n")
      }
    }
  }

  /// Takes the line of progress away.
  static func clear() { state.withLock { $0.clearLine() } }

  /// A picture of what the edit has come to was written.
  static func previewed(_ path: String, step: Int) {
    state.withLock { state in
      guard state.manner.isJSON else { return }
      state.event("preview", [("file", .string(path)), ("step", .integer(step))])
    }
  }
}

extension Messages.State {
  fileprivate mutating func clearLine() {
    if isLineShown { writeToStandardError("\r\u{1B}[K") }
    isLineShown = false
  }

  fileprivate mutating func say(_ line: String, event name: String, _ status: ExitStatus? = nil) {
    guard !manner.isJSON else {
      let status = status.map { [("status", JSONValue.integer(Int($0.rawValue)))] } ?? []
      return event(name, [("message", .string(line))] + status)
    }
    clearLine()
    writeToStandardError("pentimento: \(line.printable())\n")
  }

  /// One line of JSON.
  fileprivate func event(_ name: String, _ fields: [(String, JSONValue)]) {
    var line = JSONObject()
    line.set("version", .integer(1))
    line.set("event", .string(name))
    line.set("secondsElapsed", .real(Messages.secondsElapsed.rounded(to: 3)))
    for (key, value) in fields { line.set(key, value) }
    writeToStandardError(JSONValue.object(line).text.printableJSON + "\n")
  }
}

extension Duration {
  var inSeconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}

extension Double {
  /// With so many decimals at most.
  func rounded(to decimals: Int) -> Double {
    let scale = (0..<decimals).reduce(1.0) { scale, _ in 10 * scale }
    return (self * scale).rounded() / scale
  }
}
