import ArgumentParser
import Pentimento

/// `pentimento`: edits photographs with Stable Diffusion models inside a limit on memory.
@main struct PentimentoCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pentimento",
    abstract: "Edits photographs with Stable Diffusion models on small computers.",
    discussion: """
      Exit status: 0 done; 1 the run failed; 64 wrong use; 65 a picture or an inversion could not be read; \
      66 the model could not be used; 73 the result could not be written; 130 interrupted.
      """,
    version: programVersion,
    subcommands: [
      EditCommand.self, GenerateCommand.self, PlanCommand.self, MethodsCommand.self, InspectCommand.self,
      QuantizeCommand.self, CompareCommand.self, TraceCommand.self,
    ])
}
