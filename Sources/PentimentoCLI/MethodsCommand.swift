import ArgumentParser
import Editing
import FoundationEssentials
import Pentimento

struct MethodsCommand: RunCommand {
  static let configuration = CommandConfiguration(
    commandName: "methods", abstract: "List the editing methods, or explain one.",
    discussion: "An explained method has its paper's defaults and, beside them, those of the model.")

  @Argument(help: "A method; all if left out.")
  var name: String?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The model whose defaults are shown (default: the one that 'edit' would take).",
      valueName: "folder|file"))
  var model: String?

  func run() async throws {
    if let name {
      let method = try EditMethod(named: name)
      return try StandardOutput.write(method.explanation(model: opened()?.defaults(for: method)))
    }
    let width = EditMethods.all.names.map(\.count).max()!
    let lines = EditMethods.all.map { $0.about.name.padding(to: width + 2) + $0.about.summary }
    try StandardOutput.write(lines.joined(separator: "\n"))
  }

  /// Nil where no model was named and none is found: the papers' defaults can still be shown.
  private func opened() throws -> Model? {
    do {
      return try Model(at: ModelLocation.find(model))
    } catch  where model == nil {
      return nil
    }
  }
}
