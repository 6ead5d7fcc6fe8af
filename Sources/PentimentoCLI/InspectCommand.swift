import ArgumentParser
import FoundationEssentials
import Pentimento

struct InspectCommand: RunCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Describe a model's folder, a weight file or a picture.")

  @Argument(
    help:
      "A model's folder or file, any .safetensors or .gguf file, or a picture; the model in use if left out.")
  var path: String?

  @Flag(help: "List every tensor.")
  var tensors = false

  @Flag(help: "Compare every tensor of a container with the hash that was taken when it was written.")
  var verify = false

  @OptionGroup var reading: ModelReadingOptions

  func run() async throws {
    if let path, let picture = try pictureDescription(path) { return try StandardOutput.write(picture) }
    let location = try ModelLocation.find(path)
    try StandardOutput.write(
      verify
        ? Inspection.verify(location.path)
        : Inspection.describe(
          location, isForModel: !reading.parts.isEmpty, { try reading.open($0) }, tensors: tensors))
  }
}
