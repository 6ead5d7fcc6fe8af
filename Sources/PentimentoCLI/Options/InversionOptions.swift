import ArgumentParser
import Pentimento

/// Keeping the inversion of a picture, and editing with one that was kept.
struct InversionOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Keep the picture's inversion in a file, so that further prompts cost the sampling alone.",
      valueName: "file"), completion: .file())
  var saveInversion: String?

  @Option(
    help: ArgumentHelp(
      "Use a kept inversion instead of inverting. --image may be left out, and so may what it was made with.",
      valueName: "file"), completion: .file())
  var inversion: String?

  @Flag(
    help: "pti, null-text: report what int8 would have cost, dB, by sampling once more. They run in floats.")
  var compareInt8 = false

  func validate() throws {
    guard saveInversion == nil || inversion == nil else {
      throw ValidationError("--inversion and --save-inversion: give one of them, the file can be copied")
    }
  }

  func read() throws -> SavedInversion? { try inversion.map(InversionFile.read) }
}
