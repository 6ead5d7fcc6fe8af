import ArgumentParser
import Editing
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
}

/// What the methods can be told. Each takes what it has a use for and refuses the rest.
struct SettingOptions: ParsableArguments {
  @Option(help: "Steps of the whole schedule.")
  var steps: Int?

  @Option(
    name: [.customLong("cfg-scale"), .customLong("guidance-scale")],
    help: "Weight of the prompt (classifier-free guidance).")
  var cfgScale: Double?

  @Option(help: "Deterministic (ode) or with noise in every step (sde).")
  var sampler: Sampler?

  @Option(help: "Seed of the noise.")
  var seed: UInt64 = 42

  @Option(help: "Working size: one number for the side of a square of that area, or WIDTHxHEIGHT.")
  var size: String?

  func apply(to request: inout EditRequest) {
    request.settings.steps = steps
    request.settings.guidance = cfgScale
    request.settings.sampler = sampler
    request.seed = seed
  }

  /// The working size of a picture, or of a square where there is none.
  func workingSize(of picture: Extent?, for model: Model) throws -> WorkingSize {
    var request = WorkingSize.Request.native
    if let size { request = try WorkingSize.Request(parsing: size) }
    var shape = picture ?? Extent(width: model.nativeSize, height: model.nativeSize)
    if picture == nil, case .box(let box) = request { shape = box }
    return try WorkingSize(
      picture: shape, nativeSide: model.nativeSize, multiple: model.sizeMultiple, request: request)
  }
}

struct EditOptions: ParsableArguments {
  @Option(
    name: [.customShort("i"), .customLong("image"), .customLong("input"), .customLong("init-img")],
    help: "The picture to edit (PNG or PPM).")
  var image: String

  @Option(help: "How to edit; 'pentimento methods' lists them.")
  var method = "ddpm-inversion"

  @Option(help: "What the picture shows; \"\" is allowed.")
  var sourcePrompt: String?

  @Option(help: "Weight of the source prompt.")
  var sourceCfgScale: Double?

  @Option(help: "Part of the steps to leave out, 0 to 1: more stays closer to the picture.")
  var skip: Double?

  @Option(help: "Part of the schedule to run, 0 to 1: less stays closer to the picture.")
  var strength: Double?

  @Option(help: "Noise of a step, 0 to 1.")
  var eta: Double?

  @Flag(help: "End DDPM inversion as its authors' code does, which gives up exact reconstruction.")
  var officialLastStep = false

  func apply(to request: inout EditRequest) {
    request.sourcePrompt = sourcePrompt
    request.settings.sourceGuidance = sourceCfgScale
    request.settings.skip = skip
    request.settings.strength = strength
    request.settings.eta = eta
    request.settings.endsWithoutNoise = officialLastStep ? true : nil
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

extension Sampler: ExpressibleByArgument {}
