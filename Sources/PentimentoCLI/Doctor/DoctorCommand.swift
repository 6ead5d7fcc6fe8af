import ArgumentParser
import Pentimento

struct DoctorCommand: RunCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "Check whether edits work here, and say what to do where they do not.",
    discussion: """
      Looks at the processor, its cores, the memory that an edit may hold, the libraries for pictures, the cache folder, \
      the models, how fast weights are read and computed with, and makes a small edit whose result is known. A line each: \
      ok, warning (edits work, some things do not), problem (an edit would end with the status that this command ends with).
      """)

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The model to look at (default: the one that 'edit' would take).", valueName: "folder|file"))
  var model: String?

  @OptionGroup var parallel: ThreadOptions

  @Option(help: "json: findings and figures as JSON instead of lines.")
  var report: ReportFormat?

  var computing: ThreadOptions? { parallel }
  var reportsJSON: Bool { report == .json }

  func run() async throws {
    let isJSON = reportsJSON
    var checkup = Checkup(model: model, threads: threads) { finding in
      if !isJSON { try StandardOutput.write(finding.lines) }
    }
    try await checkup.run()
    if isJSON { try StandardOutput.write(json: checkup.report) }
    if let problem = checkup.problem { throw problem }
    if !isJSON { try StandardOutput.write("edits work here") }
  }
}
