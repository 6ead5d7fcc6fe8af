import ArgumentParser
import Files
import FoundationEssentials
import Pentimento
import Trace

struct TraceCommand: RunCommand {
  static let configuration = CommandConfiguration(
    commandName: "trace",
    abstract: "Run a parity case of another implementation and write every intermediate value.",
    discussion: """
      CASE is a folder with case.json (what to run) and inputs.safetensors (pictures, latents, noise). The \
      methods are those of 'edit', with the case's noise instead of a seed's.
      """)

  @Argument(help: "The case's folder.", completion: .directory)
  var caseFolder: String

  @Option(
    name: .shortAndLong, help: "The safetensors file to write.",
    completion: .file(extensions: ["safetensors"]))
  var output: String

  @OptionGroup var model: ModelOptions

  var computing: ThreadOptions? { model.parallel }

  func run() async throws {
    let parity = try TraceCase(folder: URL(fileURLWithPath: caseFolder))
    let location = model.model.map { URL(fileURLWithPath: $0) } ?? parity.modelFolder
    let files = RunFiles(
      read: try [caseFolder] + model.readPaths(location),
      written: [NamedFile("--output", output)])
    try files.check()
    let results = try await parity.run(model.open(location), threads: model.threads)
    try results.write(to: output)
    try StandardOutput.write(path: output)
  }
}
