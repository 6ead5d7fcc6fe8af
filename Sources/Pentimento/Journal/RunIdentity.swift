/// What a run's result depends on. Two runs of one identity do the same, step by step, and end with the same bytes.
package struct RunIdentity: Sendable, Equatable {
  /// One thing that it depends on.
  package struct Tie: Sendable, Equatable {
    /// In a word: "prompt".
    var name: String
    var value: String
    /// What people are told instead of a hash; "" for nothing.
    var shown: String

    /// - Parameter shown: nil for the value itself.
    init(_ name: String, value: String, shown: String? = nil) {
      (self.name, self.value, self.shown) = (name, value, shown ?? value)
    }
  }

  package private(set) var ties: [Tie]

  package init(ties: [Tie] = []) { self.ties = ties }

  /// Names the next thing; nil for one that there is none of.
  package mutating func tie(_ name: String, _ value: String?, shown: String? = nil) {
    ties.append(
      Tie(name, value: value.map { "=\($0)" } ?? "", shown: value == nil ? "none" : shown ?? value))
  }

  /// The first thing in which another run differs.
  func difference(from run: RunIdentity) -> JournalError.Difference? {
    func difference(_ name: String, _ made: Tie?, _ asked: Tie?) -> JournalError.Difference {
      JournalError.Difference(what: name, made: made?.shown ?? "none", asked: asked?.shown ?? "none")
    }
    for asked in run.ties {
      let made = ties.first { $0.name == asked.name }
      if made?.value != asked.value { return difference(asked.name, made, asked) }
    }
    let more = ties.first { tie in !run.ties.contains { $0.name == tie.name } }
    return more.map { difference($0.name, $0, nil) }
  }
}
