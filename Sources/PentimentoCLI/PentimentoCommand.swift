import ArgumentParser
import Pentimento

/// `pentimento`: edits photographs with Stable Diffusion models inside a limit on memory.
struct PentimentoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pentimento",
    abstract: "Edits photographs with Stable Diffusion models on small computers.",
    discussion: """
      Exit status: \(ExitStatus.list) Standard output has results only; a reader of it that goes early, as head \
      does, ends the program by SIGPIPE.
      """,
    version: programVersion,
    subcommands: [
      EditCommand.self, GenerateCommand.self, BatchCommand.self, PlanCommand.self, MethodsCommand.self, InspectCommand.self,
      TrainLoRACommand.self, TrainTranslatorCommand.self, QuantizeCommand.self, CompareCommand.self,
      VerifyCommand.self, DoctorCommand.self, TraceCommand.self,
    ])

  /// The command that the words make, with what the parser would say of wrong ones put right: a name of a command
  /// that there is none of brings near ones, and an unknown option goes before one that is missing.
  static func parse(command words: [String]) throws -> any ParsableCommand {
    if let word = words.first, !word.hasPrefix("-"), !commandNames.contains(word) {
      let near = commandNames.near(word)
      let names =
        near.isEmpty
        ? "use \(commandNames.joined(separator: ", "))" : "did you mean \(near.joined(separator: " or "))?"
      throw ValidationError("there is no command \"\(word)\": \(names)")
    }
    do { return try parseAsRoot(words) } catch { throw unknownOption(in: words, after: error) ?? error }
  }

  private static var commandNames: [String] {
    configuration.subcommands.compactMap { $0.configuration.commandName } + ["help"]
  }

  /// The error for an option that the command does not have, where the parser only complained of one that is
  /// missing: `--ouput` for `--output`. Found by giving what is missing.
  private static func unknownOption(in words: [String], after error: any Error) -> (any Error)? {
    // A value for an option without choices, and one for the weights of quantize.
    let probes = ["probe.safetensors", "int8"]
    var (words, error) = (words, error)
    for _ in 0..<4 {
      guard let missing = missingArgument(error) else { break }
      var next: (any Error)?
      for probe in probes {
        let more = words + (missing.hasPrefix("-") ? [missing, probe] : [probe])
        do {
          _ = try parseAsRoot(more)
          return nil
        } catch let other where !message(for: other).contains("is invalid for") {
          (words, next) = (more, other)
        } catch {}
        if next != nil { break }
      }
      guard let next else { return nil }
      error = next
    }
    return message(for: error).hasPrefix("Unknown option") ? error : nil
  }

  /// `--output` of "Missing expected argument '--output <output>'".
  private static func missingArgument(_ error: any Error) -> String? {
    let parts = message(for: error).split(separator: "'")
    guard parts.count > 1, parts[0] == "Missing expected argument " else { return nil }
    return parts[1].split(separator: " ").first.map(String.init)
  }
}
