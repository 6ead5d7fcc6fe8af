import Foundation
import Testing

/// The exit statuses that the manual documents.
enum Status {
  static let (done, failed, usage, badPicture, badModel, overBudget, refused, cannotWrite):
    (Int32, Int32, Int32, Int32, Int32, Int32, Int32, Int32) = (0, 1, 64, 65, 66, 69, 71, 73)

  static func ended(by signal: Int32) -> Int32 { 128 + signal }
}

/// Arguments that cannot work, and what has to be said about them.
struct Refusal: Sendable, CustomTestStringConvertible {
  var arguments: [String]
  var status: Int32
  /// Parts of the sentence: the cause, the next step.
  var words: [String]

  init(_ arguments: String..., status: Int32 = Status.usage, says words: String...) {
    (self.arguments, self.status, self.words) = (arguments, status, words)
  }

  init(_ arguments: [String], status: Int32 = Status.usage, says words: String...) {
    (self.arguments, self.status, self.words) = (arguments, status, words)
  }

  var testDescription: String { arguments.joined(separator: " ") }

  /// Runs the arguments in a folder and checks that nothing comes of it.
  func check(
    in place: Workplace, model: URL? = Command.smallModel, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let before = try place.contents
    let run = try await Command.run(arguments, in: place, model: model)
    expect(run, sourceLocation: sourceLocation)
    #expect(try place.contents == before, sourceLocation: sourceLocation)
  }

  func expect(_ run: Command.Run, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(run.exited, "\(run.errors)", sourceLocation: sourceLocation)
    #expect(run.status == status, "\(run.errors)", sourceLocation: sourceLocation)
    #expect(run.output == "", sourceLocation: sourceLocation)
    for word in words {
      #expect(run.errors.contains(word), "\(run.errors)", sourceLocation: sourceLocation)
    }
    let lines = run.complaints
    #expect(lines.count == 1, "\(run.errors)", sourceLocation: sourceLocation)
    guard let line = lines.first else { return }
    #expect(line.hasPrefix("pentimento: error: "), "\(line)", sourceLocation: sourceLocation)
    let sentence = line.dropFirst("pentimento: error: ".count)
    // Cause, then the next step; one sentence.
    #expect(sentence.contains(": ") || sentence.contains("; "), "\(line)", sourceLocation: sourceLocation)
    #expect(!sentence.hasSuffix("."), "\(line)", sourceLocation: sourceLocation)
    #expect(try! !sentence.contains(Regex(#"\. [A-Z]"#)), "\(line)", sourceLocation: sourceLocation)
  }
}
