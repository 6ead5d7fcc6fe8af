import ArgumentParser
import Editing
import FoundationEssentials
import Pentimento

struct MethodsCommand: RunCommand {
  static let configuration = CommandConfiguration(
    commandName: "methods", abstract: "List the editing methods, by what they are good for, or explain one.",
    discussion: """
      An explained method has its paper's defaults and, beside them, those of the model.

      --report json writes a list of objects, of one method one: name, summary, paper, goals, needs, accepts, evaluations, \
      example, presets, and settings, each with option, kind, meaning, unit, values, minimum and maximum (and whether \
      they are included), standard (the paper's) or rule, and modelDefault, in the units of the options.
      """)

  @Argument(help: "A method; all if left out.", completion: .list(EditMethods.all.names))
  var name: String?

  @Option(
    name: .customLong("for"),
    help:
      "Only methods that are good for this, each with a command: colour, object, style, move, remove or fast."
  )
  var goal: MethodSummary.Goal?

  @Option(help: "json: the same for programs.")
  var report: ReportFormat?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The model whose defaults are shown (default: the one that 'edit' would take).",
      valueName: "folder|file"), completion: .models)
  var model: String?

  var reportsJSON: Bool { report == .json }

  func validate() throws {
    guard name == nil || goal == nil else {
      throw ValidationError("--for lists methods, and \(name!) is one: leave either out")
    }
  }

  func run() async throws {
    if let name {
      let method = try EditMethod(named: name)
      let defaults = try opened()?.defaults(for: method)
      guard !reportsJSON else { return try StandardOutput.write(json: Report(method, defaults)) }
      return try StandardOutput.write(
        method.explanation(model: defaults) + "\n  example: " + method.type.example())
    }
    let methods = EditMethods.all.filter { method in
      goal.map { method.about.goals.contains($0) } ?? true
    }
    if reportsJSON {
      let model = try opened()
      return try StandardOutput.write(
        json: methods.map { EditMethod($0) }.map { Report($0, model?.defaults(for: $0)) })
    }
    let width = methods.names.map(\.count).max()!
    let lines = methods.flatMap { method in
      [method.about.name.padding(to: width + 2) + method.about.summary]
        + (goal.map { [String(repeating: " ", count: width + 2) + method.example(for: $0)] } ?? [])
    }
    try StandardOutput.write(lines.joined(separator: "\n"))
  }

  /// A method's description and its example.
  private struct Report: Encodable {
    var description: MethodDescription
    var example: String

    private enum Key: String, CodingKey { case example }

    init(_ method: EditMethod, _ model: MethodSettings?) {
      (description, example) = (method.description(model: model), method.type.example())
    }

    func encode(to encoder: any Encoder) throws {
      try description.encode(to: encoder)
      var fields = encoder.container(keyedBy: Key.self)
      try fields.encode(example, forKey: .example)
    }
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

extension MethodSummary.Goal: ExpressibleByArgument {}
