import ArgumentParser
import FoundationEssentials
import Pentimento

struct InspectCommand: RunCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect", abstract: "Describe a model's folder, a weight file or a picture.",
    discussion: """
      --report json writes one object: kind (model, weights or picture) and path; of a model family, nativeSize and \
      sizeMultiple (pixels), predicts, trainingSteps, notes; of a model and of weights files (label, tensors, numbers, bytes, \
      types, and list with --tensors); of a picture width, height, bits, colours, texts and, where this program made it, \
      madeBy with its options by their names and in their units.
      """)

  @Argument(
    help:
      "A model's folder or file, any .safetensors or .gguf file, or a picture; the model in use if left out.",
    completion: .file())
  var path: String?

  @Flag(help: "List every tensor.")
  var tensors = false

  @Flag(help: "Compare every tensor of a container with the hash that was taken when it was written.")
  var verify = false

  @Option(help: "json: the same for programs.")
  var report: ReportFormat?

  @OptionGroup var reading: ModelReadingOptions

  var reportsJSON: Bool { report == .json }

  func validate() throws {
    guard report == nil || !verify else {
      throw ValidationError("--verify says whether all is well by its status: leave --report out")
    }
  }

  func run() async throws {
    if let path, let picture = try PictureDescription(path) {
      return reportsJSON
        ? try StandardOutput.write(json: picture.report) : try StandardOutput.write(picture.text)
    }
    let location = try ModelLocation.find(path)
    if reportsJSON {
      return try StandardOutput.write(
        json: Inspection.report(
          location, isForModel: !reading.parts.isEmpty, { try reading.open($0) }, tensors: tensors))
    }
    try StandardOutput.write(
      verify
        ? Inspection.verify(location.path)
        : Inspection.describe(
          location, isForModel: !reading.parts.isEmpty, { try reading.open($0) }, tensors: tensors))
  }
}
