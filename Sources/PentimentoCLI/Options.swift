import ArgumentParser
import Foundation
import ImageFiles
import Pentimento
import Tensors

struct ModelOptions: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: "Folder of the model (default: $PENTIMENTO_MODEL, then the model that comes with the program).")
  var model: String?

  @Option(name: .shortAndLong, help: "Threads. The result does not depend on them.")
  var threads = ProcessInfo.processInfo.activeProcessorCount

  func validate() throws {
    guard (1...256).contains(threads) else { throw ValidationError("--threads takes 1 to 256") }
  }

  func open() throws -> Model { try Model(folder: ModelLocation.find(model)) }
}

struct PromptOptions: ParsableArguments {
  @Option(name: .shortAndLong, help: "What the result shows.")
  var prompt: String?

  @Option(name: .shortAndLong, help: "What the result should not show.")
  var negativePrompt: String?

  @Option(
    help: ArgumentHelp(
      "Add (+) or remove (-) something: \"+snow:7\", \"-glasses:5,threshold=0.9,warmup=2,cooldown=20\", "
        + "\"+watercolour:style\" (presets style, face, object). Repeatable.",
      valueName: "+|-text[:option,…]"))
  var concept: [String] = []

  func apply(to request: inout EditRequest) throws {
    request.prompt = prompt
    request.negativePrompt = negativePrompt
    request.concepts = try concept.map(ConceptRequest.init(parsing:))
  }
}

struct SizeOptions: ParsableArguments {
  @Option(help: "Seed of the noise. (default: 42, or that of the inversion)")
  var seed: UInt64?

  @Option(help: "Working size: one number for the side of a square of that area, or WIDTHxHEIGHT.")
  var size: String?

  /// The working size of a picture, or of a square where there is none.
  /// - Parameter standard: what to take where no size was given.
  func workingSize(of picture: Extent?, for model: Model, standard: String? = nil) throws -> WorkingSize {
    var request = WorkingSize.Request.native
    if let size = size ?? standard { request = try WorkingSize.Request(parsing: size) }
    var shape = picture ?? Extent(width: model.nativeSize, height: model.nativeSize)
    if picture == nil, case .box(let box) = request { shape = box }
    return try WorkingSize(
      picture: shape, nativeSide: model.nativeSize, multiple: model.sizeMultiple, request: request)
  }
}

struct OutputOptions: ParsableArguments {
  @Option(name: .shortAndLong, help: "Where the result goes (.png or .ppm).")
  var output: String

  @Option(help: "Print a report instead of the path of the result: json.")
  var report: ReportFormat?

  @Flag(help: "Leave the settings out of the picture's file.")
  var noMetadata = false

  /// Refused before the work starts, not after it.
  func validate() throws {
    guard [".png", ".ppm"].contains(where: { output.lowercased().hasSuffix($0) }) else {
      throw ValidationError("--output \(output): name a .png or .ppm file")
    }
    let folder = URL(fileURLWithPath: output).deletingLastPathComponent().path
    guard FileManager.default.isWritableFile(atPath: folder) else {
      throw ValidationError("--output \(output): the folder \(folder) does not exist or cannot be written to")
    }
  }
}

enum ReportFormat: String, ExpressibleByArgument, CaseIterable { case json }
