import Pentimento

/// What `doctor` found of one thing, and what to do about it.
struct Finding: Encodable, Equatable {
  enum State: String, Encodable { case ok, warning, problem }

  /// "memory"
  var subject: String
  var state: State
  var finding: String
  /// Nil where there is nothing to do.
  var advice: String?
  /// What an edit would end with; nil where it would work.
  var status: Int32?

  static func ok(_ subject: String, _ finding: String) -> Finding {
    Finding(subject: subject, state: .ok, finding: finding)
  }

  static func warning(_ subject: String, _ finding: String, _ advice: String) -> Finding {
    Finding(subject: subject, state: .warning, finding: finding, advice: advice)
  }

  /// - Parameter advice: nil where the finding itself ends with it, as the sentences of errors do.
  static func problem(_ subject: String, _ finding: String, _ status: ExitStatus, _ advice: String? = nil)
    -> Finding
  {
    Finding(subject: subject, state: .problem, finding: finding, advice: advice, status: status.rawValue)
  }

  /// A line, and one below it with what to do.
  var lines: String {
    let start = state.rawValue.padding(to: 9) + subject.padding(to: 16)
    let more = advice.map { "\n" + "".padding(to: 9 + 16) + "→ \($0)" } ?? ""
    return start + finding + more
  }
}

/// An edit would not work here.
struct DoctorProblem: Error, CustomStringConvertible {
  var subjects: [String]
  /// What an edit would end with.
  var status: ExitStatus

  var description: String {
    "an edit would not work here and end with status \(status.rawValue): see \(subjects.joined(separator: ", ")) above"
  }
}
