import Foundation
import Testing

/// The pages for people: the first page and the articles of the library's documentation catalogue.
struct Manual: Sendable, CustomTestStringConvertible {
  var page: URL

  private static let package = Command.embeddedModel.appending(path: "../..").standardizedFileURL
  static let catalogue = package.appending(path: "Sources/Pentimento/Pentimento.docc")
  static let examples = package.appending(path: "Examples")

  /// All but the gallery, whose commands `Tools/gallery` runs to make the pictures.
  static let pages: [Manual] = {
    let articles = (try? FileManager.default.contentsOfDirectory(atPath: catalogue.path)) ?? []
    let names = articles.filter { $0.hasSuffix(".md") && $0 != "Gallery.md" }.sorted()
    return ([package.appending(path: "README.md")] + names.map { catalogue.appending(path: $0) }).map(
      Manual.init)
  }()

  var testDescription: String { page.lastPathComponent }

  /// What its pages have a reader type, from the top down: the lines of blocks, and what stands between backquotes with
  /// an option or an argument. Words in capitals stand for something of the reader's, and such a command is none yet.
  var commands: [String] {
    get throws {
      let text = try String(contentsOf: page, encoding: .utf8)
      var commands: [String] = []
      for (i, part) in text.components(separatedBy: "```").enumerated() {
        if i.isMultiple(of: 2) {
          commands += Self.quoted(part)
        } else {
          let lines = part.replacing("\\\n", with: " ").split(separator: "\n")
          commands += lines.filter { $0.hasPrefix(Self.program) }.map(String.init)
        }
      }
      return commands.filter(Self.isComplete)
    }
  }

  /// The lines of JSON that a block shows beside a command.
  var jobs: [String] {
    get throws {
      try String(contentsOf: page, encoding: .utf8).split(separator: "\n").map { $0.drop { $0 == " " } }
        .filter { $0.hasPrefix(#"{"image""#) }.map(String.init)
    }
  }

  private static let program = "pentimento "

  /// Between single backquotes, and lines that are blocks by their indentation.
  private static func quoted(_ text: String) -> [String] {
    let spans = text.components(separatedBy: "`").enumerated().compactMap { $0.isMultiple(of: 2) ? nil : $1 }
    let indented = text.split(separator: "\n").filter { $0.hasPrefix("    ") }.map { $0.drop { $0 == " " } }
    return (spans + indented.map(String.init)).map { $0.replacing("\n", with: " ") }.filter {
      $0.hasPrefix(program)
    }
  }

  private static func isComplete(_ command: String) -> Bool {
    let words = command.split(separator: " ")
    return words.count > 2
      && !words.contains { word in
        let letters = word.filter { $0 != "[" && $0 != "]" }
        return letters.count > 1 && letters.allSatisfy { $0.isUppercase && $0.isLetter }
      }
  }
}
