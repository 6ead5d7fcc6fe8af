import ArgumentParser
import FoundationEssentials
import Pentimento

struct InspectCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Describe a model's folder or a weight file.")

  @Argument(help: "A model folder or a .safetensors file; the model in use if left out.")
  var path: String?

  @Flag(help: "List every tensor.")
  var tensors = false

  func run() async throws {
    try await reportingErrors {
      var isFolder = true
      if let path { _ = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) }
      if let path, !isFolder {
        print(try Inspection.describe(weightFile: path, tensors: tensors))
      } else {
        print(try Inspection.describe(model: ModelLocation.find(path), tensors: tensors))
      }
    }
  }
}
