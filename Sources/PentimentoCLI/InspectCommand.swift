import ArgumentParser
import FoundationEssentials
import Pentimento

struct InspectCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Describe a model's folder or a weight file.")

  @Argument(
    help: "A model's folder or file, or any .safetensors or .gguf file; the model in use if left out.")
  var path: String?

  @Flag(help: "List every tensor.")
  var tensors = false

  @OptionGroup var reading: ModelReadingOptions

  func run() async throws {
    try await reportingErrors {
      print(
        try Inspection.describe(
          ModelLocation.find(path), isForModel: !reading.parts.isEmpty, reading.open, tensors: tensors))
    }
  }
}
