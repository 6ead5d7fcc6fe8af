import ArgumentParser
import Pentimento

/// `pentimento`: edits photographs with Stable Diffusion models inside a limit on memory.
struct PentimentoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pentimento",
    abstract: "Edits photographs with Stable Diffusion models on small computers.",
    discussion: """
      Exit status: \(ExitStatus.list) Standard output has results only; if its reader closes early, as head does, \
      the program ends by SIGPIPE.
      """,
    version: programVersion,
    subcommands: [
      EditCommand.self, GenerateCommand.self, BatchCommand.self, PlanCommand.self, MethodsCommand.self,
      InspectCommand.self,
      TrainLoRACommand.self, TrainTranslatorCommand.self, QuantizeCommand.self, CompareCommand.self,
      VerifyCommand.self, DoctorCommand.self, TraceCommand.self, CompletionsCommand.self, ManCommand.self,
      CompleteCommand.self,
    ])

  /// The command that the words make.
  ///
  /// - Throws: `Answer` where the words ask for a text; `WrongWords` where the table knows what is wrong with them; else what
  ///   the parser throws.
  static func parse(command words: [String]) throws -> any ParsableCommand {
    if let text = Answer(beforeParsing: words) { throw text }
    do {
      if let twice = WrongWords(givenTwiceIn: words) { throw twice }
      let command = try parseAsRoot(words)
      // The parser gives help as a command, too.
      if !(command is any RunCommand) {
        if let text = Answer(helpIn: words) { throw text }
        if let wrong = WrongWords(words) { throw wrong }
      }
      return command
    } catch  where exitCode(for: error) != .success {
      if let text = Answer(helpIn: words) { throw text }
      throw WrongWords(words) ?? error
    }
  }

  /// A text that was asked for.
  struct Answer: Error {
    var text: String

    /// Nil where the words have to be parsed to know.
    init?(beforeParsing words: [String]) {
      switch (words.first, words.count) {
      case (nil, _), ("help", 1), ("--help", 1), ("-h", 1), ("--help-all", 1): text = HelpPage.program()
      case ("help", 2):
        guard let command = CommandTable.shared[words[1]] else { return nil }
        text = HelpPage.command(command, all: false)
      case ("--generate-completion-script", 2):
        guard let shell = Shell(rawValue: words[1]) else { return nil }
        text = shell.script
      default: return nil
      }
    }

    /// Nil where the words do not ask for help.
    init?(helpIn words: [String]) {
      guard let command = words.first.flatMap({ CommandTable.shared[$0] }) else { return nil }
      let given = GivenWords(Array(words.dropFirst()), of: command)
      let asked = given.options.filter { $0.option.name == "help" }.map(\.typed)
      guard !asked.isEmpty else { return nil }
      text = HelpPage.command(command, all: asked.contains(OptionInfo.helpAll))
    }
  }
}
