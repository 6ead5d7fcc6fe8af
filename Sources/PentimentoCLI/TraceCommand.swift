import ArgumentParser
import FoundationEssentials
import Pentimento

struct TraceCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trace",
    abstract: "Run a parity case of another implementation and write every intermediate value.",
    discussion: """
      CASE is a folder with case.json (what to run) and inputs.safetensors (pictures, latents, noise). The \
      methods are those of 'edit', with the case's noise instead of a seed's.
      """)

  @Argument(help: "The case's folder.")
  var caseFolder: String

  @Option(name: .shortAndLong, help: "The safetensors file to write.")
  var output: String

  @OptionGroup var model: ModelOptions

  func run() async throws {
    try await reportingErrors {
      let parity = try TraceCase(folder: URL(fileURLWithPath: caseFolder))
      let url = model.model.map { URL(fileURLWithPath: $0) } ?? parity.modelFolder
      let results = try await parity.run(model.open(url), threads: model.threads)
      try results.write(to: output)
      print(output)
    }
  }
}
