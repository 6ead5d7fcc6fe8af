import ArgumentParser
import Editing
import FoundationEssentials
import ImageFiles
import Kernels
import Pentimento
import Platform
import Tensors

struct ModelOptions: ParsableArguments {
  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The model: a diffusers folder, or a single .safetensors or .gguf file of Stable Diffusion 1, 2 or XL (default: "
        + "$PENTIMENTO_MODEL, then the model that comes with the program).", valueName: "folder|file"),
    completion: .models)
  var model: String?

  @OptionGroup var reading: ModelReadingOptions

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "A LoRA (.safetensors, of diffusers or kohya-ss), and how strongly it acts (default: 1). Repeatable.",
      valueName: "file[:scale]"), completion: .file(extensions: ["safetensors"]))
  var lora: [String] = []

  @OptionGroup var numerics: NumericsOptions
  @OptionGroup var parallel: ThreadOptions
  var threads: Int { parallel.threads }

  /// - Throws: `RequestError.settingValue`.
  var references: [LoRAReference] {
    get throws { try lora.map(LoRAReference.init(parsing:)) }
  }

  /// Everything that the model at `url` is read from.
  func readPaths(_ url: URL) throws -> [String] {
    try [url.path] + reading.readPaths + references.map(\.path)
  }

  func open(_ url: URL) throws -> Model {
    let model = try reading.open(url)
    let adapted = try model.adapted(by: references)
    for text in adapted.notes.dropFirst(model.notes.count) { note(text) }
    return adapted.computing(
      attention: numerics.attention, activations: numerics.precision)
  }
}

struct NumericsOptions: ParsableArguments {
  @Option(
    help:
      "Attention between layers of an int8 model: int8 (faster) or float. Gradients and other models take float."
  )
  var attention = AttentionArithmetic.int8

  @Option(
    help: ArgumentHelp(
      "In what networks keep pictures between their blocks: f32, or f16 with a power of two for every line, "
        + "which takes half the memory.", valueName: "f32|f16"))
  var precision = ActivationPrecision.f32
}

extension Posterior.Choice: ExpressibleByArgument {}
extension PromptSyntax: ExpressibleByArgument {}
extension AttentionArithmetic: ExpressibleByArgument {}
extension NoiseSchedule.Spacing: ExpressibleByArgument {}
extension ActivationPrecision: ExpressibleByArgument {}

/// What computes.
struct ThreadOptions: ParsableArguments {
  @Option(
    name: .shortAndLong, parsing: .unconditional,
    help: "Threads. The result does not depend on them. (default: those of the processor)")
  var threads = min(256, Processors.here.threads)

  @Option(
    help: ArgumentHelp(
      "Instruction set of the kernels (default: $PENTIMENTO_ISA, then the best that this processor has).",
      valueName: "name"), completion: .list(KernelSet.runnable.map(\.name)))
  var isa: String?

  func validate() throws {
    guard (1...256).contains(threads) else { throw ValidationError("--threads takes 1 to 256") }
  }
}

/// What `edit`, `generate` and `plan` run on.
struct RuntimeOptions: ParsableArguments {
  @OptionGroup var model: ModelOptions

  @Option(
    help: ArgumentHelp(
      "Memory that the program may hold in all, as 400M: bytes, or a number with K, M, G (powers of 1000) or Ki, Mi, Gi (of "
        + "1024). Default: what is free. Less means slower, never different.", valueName: "size"))
  var maxRam: MemorySize?

  /// - Parameter files: the other files of the run, checked before the model is opened.
  func editor(_ files: RunFiles = RunFiles()) throws -> Editor {
    let location = try ModelLocation.find(model.model)
    var files = files
    files.read += try model.readPaths(location)
    try files.check()
    return try Editor(model: model.open(location), threads: model.threads, maximumMemory: maxRam?.bytes)
  }
}

/// What a model does not say of itself.
struct ModelReadingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "For a single file of unusual shapes: a folder of diffusers configuration files, and tokenizers if it has some.",
      valueName: "folder"), completion: .directory)
  var config: String?

  @Option(
    help: ArgumentHelp(
      "Take the text encoder from here: a whole model, or a file or folder of this network.",
      valueName: "folder|file"), completion: .models)
  var textEncoder: String?

  @Option(
    name: .customLong("text-encoder-2"),
    help: ArgumentHelp("The same for the second text encoder of XL.", valueName: "folder|file"),
    completion: .models)
  var textEncoder2: String?

  @Option(
    help: ArgumentHelp("The same for the autoencoder.", valueName: "folder|file"), completion: .models)
  var vae: String?

  @Option(help: "What the network predicts, epsilon or v, whatever the model says.")
  var predictionType: Prediction?

  @Option(
    help: ArgumentHelp(
      "Which timesteps the model is for, whatever it says: trailing for those distilled to few steps (Turbo, Lightning, "
        + "Hyper-SD), with or without their LoRA, leading for others.", valueName: "leading|trailing"))
  var spacing: NoiseSchedule.Spacing?

  /// Networks that come from other files.
  var parts: ModelParts {
    let paths: [(ModelPart, String?)] = [
      (.textEncoder, textEncoder), (.secondTextEncoder, textEncoder2), (.autoencoder, vae),
    ]
    return paths.reduce(into: [:]) { parts, given in
      parts[given.0] = given.1.map { URL(fileURLWithPath: $0) }
    }
  }

  enum Prediction: String, ExpressibleByArgument, CaseIterable { case epsilon, v }

  /// Files and folders that are read beside the model itself.
  var readPaths: [String] { [config, textEncoder, textEncoder2, vae].compactMap { $0 } }

  /// - Parameter isConsistency: the user says that it is sampled as a latent consistency model.
  func open(_ url: URL, isConsistency: Bool = false) throws -> Model {
    var isFolder = false
    if config != nil, FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder), isFolder {
      throw ValidationError("--config is for a model in a single file; a folder has its own configuration")
    }
    let told = ModelHints(
      prediction: predictionType.map { $0 == .v ? PredictionType.velocity : .epsilon }, spacing: spacing,
      isConsistency: isConsistency)
    let model = try Model(
      at: url, configuration: config.map { URL(fileURLWithPath: $0) }, told: told, parts: parts)
    for text in model.notes { note(text) }
    return model
  }
}

struct PromptOptions: ParsableArguments {
  @Option(
    name: .shortAndLong, parsing: .unconditional,
    help: ArgumentHelp("What the result shows.", valueName: "text"))
  var prompt: String?

  @Option(
    name: [.customShort("n"), .customLong("negative-prompt"), .customLong("neg-prompt")],
    parsing: .unconditional, help: ArgumentHelp("What the result should not show.", valueName: "text"))
  var negativePrompt: String?

  @Option(
    help: ArgumentHelp(
      "How prompts are read. plain: as they are written, up to what the model reads at once. weighted, as A1111's web UI "
        + "does: \"(word:1.3)\", \"(word)\" and \"[word]\" weigh more or less, \"\\(\" is a bracket, BREAK begins another "
        + "context, and prompts may have any length. (default: plain, or as for the inversion)",
      valueName: "plain|weighted"))
  var promptSyntax: PromptSyntax?

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "Add (+) or remove (-) something: \"+snow:7\", \"-glasses:5,threshold=0.9,warmup=2,cooldown=20\", "
        + "\"+watercolor:style\" (presets style, face, object). Repeatable.",
      valueName: "+|-text[:option,…]"))
  var concept: [String] = []

  func apply(to request: inout EditRequest) throws {
    for text in [prompt, negativePrompt] + concept { try PromptWords.check(text) }
    request.prompt = prompt
    request.negativePrompt = negativePrompt
    request.promptSyntax = promptSyntax
    request.concepts = try concept.map(ConceptRequest.init(parsing:))
  }
}

struct OutputOptions: ParsableArguments {
  @Option(
    name: [.customShort("o"), .customLong("output"), .customLong("output-path")],
    help: ArgumentHelp(
      "Where the result goes (.png, .jpg or .ppm; - for standard output), never onto the picture itself.",
      valueName: "file"), completion: .pictures)
  var output: String

  @Option(
    help: "What standard output or a pipe gets, or a file whatever its name: png (default), jpg or ppm.")
  var format: PictureFormatName?

  @OptionGroup var encoding: EncodingOptions

  @Option(help: "Print a report instead of the path of the result: json.")
  var report: ReportFormat?

  func validate() throws {
    if output == "-", report != nil {
      throw ValidationError("--report and -o -: standard output takes one of them")
    }
    try encoding.check(for: output, format)
  }

  func picture(_ path: String) throws -> PictureOutput {
    try PictureOutput(path, format: format, quality: encoding.quality)
  }
}

/// What is kept in the file of a picture.
struct EncodingOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: "Of a JPEG, 1 to 100. From 90 on every pixel has its own colour. (default: 92)")
  var quality: Int?

  @Flag(help: "Leave the settings, and what the camera noted (EXIF), out of the picture's file.")
  var noMetadata = false

  func validate() throws {
    if let quality, !(1...100).contains(quality) {
      throw ValidationError("--quality takes 1 to 100: 92 if left out")
    }
  }

  func check(for output: String, _ format: PictureFormatName?) throws {
    if quality != nil, !Self.isJPEG(output, format) {
      throw ValidationError("--quality is for a JPEG: name a .jpg file, or leave it out")
    }
  }

  static func isJPEG(_ output: String, _ format: PictureFormatName?) -> Bool {
    format.map { $0 == .jpg } ?? ["jpg", "jpeg"].contains { output.lowercased().hasSuffix(".\($0)") }
  }
}

/// Where a result would go, so that the words of an edit are those of its plan.
struct PlannedOutputOptions: ParsableArguments {
  @Option(
    name: [.customShort("o"), .customLong("output"), .customLong("output-path")],
    help: ArgumentHelp("Where the result would go. The plan holds for every format.", valueName: "file"),
    completion: .pictures)
  var output: String?

  @Option(help: "What it would be: png, jpg or ppm.")
  var format: PictureFormatName?

  @OptionGroup var encoding: EncodingOptions

  func validate() throws {
    if let output { try encoding.check(for: output, format) }
  }
}

enum ReportFormat: String, ExpressibleByArgument, CaseIterable { case json }
