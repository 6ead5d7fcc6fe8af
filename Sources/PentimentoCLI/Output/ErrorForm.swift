import ArgumentParser

/// What becomes of an error beside its sentence on standard error: whoever asked for a report as JSON gets one object on
/// standard output all the same, `{"error": {"message": "…", "status": 65}}`.
enum ErrorForm {
  case sentence
  case json
  /// In one line, among the lines of a batch.
  case jsonLine

  static func of(_ command: any ParsableCommand.Type) -> ErrorForm {
    command == BatchCommand.self ? .jsonLine : .json
  }

  /// By the words of a command that could not be parsed.
  static func asked(by words: [String]) -> ErrorForm {
    let isAsked =
      words.contains("--report=json") || zip(words, words.dropFirst()).contains { $0 == ("--report", "json") }
    guard isAsked else { return .sentence }
    return words.first == BatchCommand.configuration.commandName ? .jsonLine : .json
  }

  private struct Report: Encodable {
    struct Failure: Encodable {
      var message: String
      var status: Int32
    }
    var error: Failure
  }

  /// What cannot be written is not said: the exit status says enough.
  func write(_ message: String, _ status: ExitStatus) {
    let report = Report(error: .init(message: message, status: status.rawValue))
    switch self {
    case .sentence: break
    case .json: try? StandardOutput.write(json: report)
    case .jsonLine: try? StandardOutput.write(lineOf: report)
    }
  }
}
