import ArgumentParser
import Editing
import FoundationEssentials
import ImageFiles
import Pentimento

/// What `edit` and `plan` share: everything that makes a request.
struct EditOptions: ParsableArguments {
  @Option(
    name: [.customShort("i"), .customLong("image"), .customLong("input"), .customLong("init-img")],
    help: ArgumentHelp("The picture to edit (PNG, JPEG or PPM; - for standard input).", valueName: "file"),
    completion: .pictures)
  var image: String?

  @Option(
    help: ArgumentHelp(
      "How to edit; 'pentimento methods' lists them. auto: by what was given.", valueName: "name"),
    completion: .list(["auto"] + EditMethods.all.names))
  var method = "auto"

  @Flag(
    help: ArgumentHelp(
      "Choose a method of few network evaluations: with a source prompt infedit, or turbo-edit on models distilled to few "
        + "steps; without one ddpm-inversion with the solver dpm2."))
  var fast = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("What the picture shows; \"\" is allowed.", valueName: "text"))
  var sourcePrompt: String?

  @Option(
    help: ArgumentHelp(
      "A network that 'train-translator' wrote, for the method translate.", valueName: "file"),
    completion: .file(extensions: ["safetensors"]))
  var translator: String?

  @Option(
    parsing: .unconditional,
    help: "Which of the translator's tasks: its number, or what its target prompt says.")
  var task: String?

  @OptionGroup var prompts: PromptOptions
  @OptionGroup(title: SettingOptions.title) var settings: SettingOptions
  @OptionGroup var region: RegionOptions
  @OptionGroup var learning: LearningOptions
  @OptionGroup var inversion: InversionOptions
  @OptionGroup var noise: SeedOptions
  @Option(
    help: ArgumentHelp(
      "Which of the latents that the autoencoder allows is edited: the likeliest, or one drawn before all other noise, "
        + "as the official code of some methods does.", valueName: "mean|sample"))
  var posterior: Posterior.Choice?

  @OptionGroup var size: ExtentOptions

  /// Where the picture lies; nil if none was named.
  var picturePath: String? { image ?? region.pictureOfDragFile }

  /// What is read for the request; - for standard input.
  var sources: [String] {
    [picturePath, region.maskPath, region.dragFile, inversion.inversion, translator].compactMap { $0 }
  }
  /// Files that are read for the request.
  var readPaths: [String] { sources.filter { $0 != "-" } }

  /// The request, and what there is to say of the method that was chosen.
  ///
  /// Opens the files; nothing is decoded.
  ///
  /// - Parameters:
  ///   - model: by which a method is chosen where none is named.
  ///   - imagined: stands for a picture where none was named.
  func request(
    on model: Model, imagined: ImaginedPicture? = nil
  ) throws -> (request: EditRequest, choice: String?) {
    var request = EditRequest()
    request.inversion = try inversion.read()
    request.inversionPath = inversion.inversion
    request.picture = try picturePath.map { try OpenPicture($0) }
    var stand: ImaginedPicture?
    if request.picture == nil, request.inversion == nil, !["generate", "sega"].contains(method) {
      stand = imagined
    }
    request.picture = request.picture ?? stand
    request.keepsInversion = inversion.saveInversion != nil
    request.comparesInt8 = inversion.compareInt8
    try PromptWords.check(sourcePrompt)
    request.sourcePrompt = sourcePrompt
    request.seed = noise.chosen()
    request.posteriorChoice = posterior
    request.translator = try translator.map(Translator.init(path:))
    request.task = task
    request.learning = learning.request
    request.size = try size.request
    try prompts.apply(to: &request)
    try region.apply(to: &request)
    request.prefersFewSteps = fast
    if fast, method != "auto" {
      throw ValidationError("--fast chooses a method, and --method \(method) is one: leave either out")
    }
    let (method, reason) = try EditMethod.resolve(
      method, settings: settings.settings, for: request, on: model.kind)
    request.method = method
    let choice = reason.map { reason in
      // What only stands for a picture is not there.
      let why = stand.map { "for a picture of \($0.extent), as none was named" } ?? "since \(reason)"
      return "method \(method.name), \(why)"
    }
    return (request, choice)
  }
}

/// A picture of which nothing but the size is known, for a plan without one. It is black.
struct ImaginedPicture: PictureSource {
  let extent: Extent
  var passBytes: Int { 0 }

  func pass() -> any RowPass { Rows() }

  private final class Rows: RowPass {
    func next(into row: UnsafeMutableBufferPointer<UInt8>) { row.update(repeating: 0) }
  }
}
