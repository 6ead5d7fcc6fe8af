import ArgumentParser
import Files
import Pentimento

/// A file from which a long run goes on.
struct CheckpointOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Keep in a file how far the run has come, so that after a break of any kind the same command goes on there and ends "
        + "with the same bytes. The file goes when the result is written.", valueName: "file"),
    completion: .file())
  var checkpoint: String?

  /// With the option that named it.
  var named: [NamedFile] { checkpoint.map { [NamedFile("--checkpoint", $0)] } ?? [] }

  /// Refuses what would be another run at the next start.
  ///
  /// - Throws: `ValidationError`.
  func check(_ noise: SeedOptions) throws {
    if checkpoint != nil { try noise.refuseDrawn("--checkpoint goes on with the same command") }
  }

  /// Does `work` with the file, which is taken away after it.
  ///
  /// - Parameter work: leaves its results in their places.
  /// - Throws: `JournalError`, `FileError`, `Interrupted`; what `work` throws.
  func use<Result>(_ work: (FileJournal?) async throws -> Result) async throws -> Result {
    guard let checkpoint else { return try await work(nil) }
    let journal = try FileJournal(path: checkpoint)
    let result: Result
    do {
      result = try await work(journal)
    } catch let error as CancellationError {
      guard await journal.hasProgress else { throw error }
      throw Interrupted(checkpoint: checkpoint)
    }
    await journal.remove()
    return result
  }
}

/// What a run is about to do, and whether it goes on somewhere.
func note(_ line: String, _ journal: FileJournal?) async {
  let goesOn = await journal?.hasProgress == true
  note(line + (goesOn ? ", going on from \(journal!.path)" : ""))
}

/// A run was ended by a signal and can go on.
struct Interrupted: Error {
  var checkpoint: String
}
