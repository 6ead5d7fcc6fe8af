import ArgumentParser
import FoundationEssentials
import ImageFiles
import Pentimento
import Tensors

/// What `edit` and `plan` share: everything that makes a request.
struct EditOptions: ParsableArguments {
  @Option(
    name: [.customShort("i"), .customLong("image"), .customLong("input"), .customLong("init-img")],
    help: "The picture to edit (PNG or PPM).")
  var image: String?

  @Option(help: "How to edit; 'pentimento methods' lists them. auto: by what was given.")
  var method = "auto"

  @Option(parsing: .unconditional, help: "What the picture shows; \"\" is allowed.")
  var sourcePrompt: String?

  @OptionGroup var prompts: PromptOptions
  @OptionGroup(title: "Settings of the methods") var settings: SettingOptions
  @OptionGroup(title: "Region") var region: RegionOptions
  @OptionGroup var size: SizeOptions

  /// Where the picture lies; nil if none was named.
  var picturePath: String? { image ?? region.pictureOfDragFile }

  /// What becomes of the options.
  struct Prepared {
    var request: EditRequest
    /// The mask in full detail.
    var mask: MaskPicture?
    /// Which method was chosen and why.
    var choice: String?
  }

  /// The request for a picture.
  func request(_ original: Picture, _ geometry: Geometry) throws -> Prepared {
    var request = EditRequest(
      method: method, width: geometry.padded.width, height: geometry.padded.height)
    request.picture = geometry.workingPicture(original)
    // A plan without a picture is drawn up for a black one.
    if picturePath == nil, ["generate", "sega"].contains(method) { request.picture = nil }
    request.sourcePrompt = sourcePrompt
    request.settings = settings.settings
    request.seed = size.seed
    try prompts.apply(to: &request)
    let mask = try region.apply(to: &request, geometry)
    // The choice looks only at whether there is a mask; its form depends on the choice.
    request.mask = mask.map { geometry.latentMask($0, .soft) }
    let (name, reason) = try MethodEntry.resolve(request)
    request.method = name
    let entry = try MethodEntry.named(name)
    request.mask = mask.map { geometry.latentMask($0, entry.maskRule.geometryRule) }
    try region.check(hasMask: entry.hasMask(request), method: name)
    return Prepared(request: request, mask: mask, choice: reason.map { "method \(name), since \($0)" })
  }
}

struct EditCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "edit", abstract: "Edit a picture. The result has the size of the picture.")

  @OptionGroup var edit: EditOptions
  @OptionGroup var out: OutputOptions
  @OptionGroup var runtime: ModelOptions

  func validate() throws {
    guard edit.image != nil || edit.region.dragFile != nil else {
      throw ValidationError("Missing expected argument '--image <image>'")
    }
  }

  func run() async throws {
    try await reportingErrors {
      guard let path = edit.picturePath else {
        throw ValidationError(
          "no origin_image.png lies beside the --drag-file: name the picture with --image")
      }
      try checkOutputs(path)
      let original = try PictureFile.read(path)
      let model = try runtime.open()
      let geometry = Geometry(
        picture: Extent(original), working: try edit.size.workingSize(of: Extent(original), for: model))
      let prepared = try edit.request(original, geometry)
      let result = try await perform(prepared.request, choice: prepared.choice, model, runtime)
      let region = try edit.region.finish(result.mask, given: prepared.mask, geometry)
      var picture = geometry.restore(result.picture)
      if let region, edit.region.pasteBack {
        picture = .pasteBack(original: original, edited: picture, mask: region)
      }
      try write(picture, result, out)
    }
  }

  private func checkOutputs(_ path: String) throws {
    let inputs = [path, edit.region.maskPath, edit.region.dragFile]
    try out.check(sparing: inputs)
    if let mask = edit.region.saveMask {
      try refuse(mask, "--save-mask", sparing: inputs)
      guard mask != out.output else {
        throw ValidationError("--save-mask and --output are one file: name two")
      }
    }
  }
}

struct GenerateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate", abstract: "Make a picture from a text, with concepts if there are any.")

  @OptionGroup var prompts: PromptOptions
  @OptionGroup(title: "Settings of the methods") var settings: SettingOptions
  @OptionGroup var size: SizeOptions
  @OptionGroup var out: OutputOptions
  @OptionGroup var runtime: ModelOptions

  func run() async throws {
    try await reportingErrors {
      try out.check(sparing: [])
      let model = try runtime.open()
      let working = try size.workingSize(of: nil, for: model)
      var request = EditRequest(
        method: "generate", width: working.padded.width, height: working.padded.height)
      request.settings = settings.settings
      request.seed = size.seed
      try prompts.apply(to: &request)
      request.method = try MethodEntry.choose(for: request).name
      let result = try await perform(request, choice: nil, model, runtime)
      try write(Geometry(picture: working.content, working: working).restore(result.picture), result, out)
    }
  }
}

/// Runs a request with progress on the terminal.
private func perform(
  _ request: EditRequest, choice: String?, _ model: Model, _ runtime: ModelOptions
) async throws -> EditResult {
  let editor = Editor(model: model, threads: runtime.threads)
  try editor.check(request)
  if let choice { note(choice) }
  note("\(request.method), seed \(request.seed), \(request.width)×\(request.height) working pixels")
  let progress = ProgressLine()
  let result = try await editor.run(request) { done, total in
    progress.show(done, of: total)
  }
  progress.clear()
  for cut in result.report.cutPrompts {
    note("the prompt is longer than the model reads; left out: \"\(cut)\"")
  }
  for warning in result.report.warnings { note(warning) }
  return result
}

/// Writes the picture and prints the path or the report.
private func write(_ picture: Picture, _ result: EditResult, _ out: OutputOptions) throws {
  try Task.checkCancellation()
  try PictureFile.write(
    picture, to: out.output, metadata: out.noMetadata ? [] : metadata(of: result.report))
  switch out.report {
  case .json:
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    print(String(decoding: try encoder.encode(result.report), as: UTF8.self))
  case nil:
    print(out.output)
  }
}

/// What it takes to make the picture again: no time, no machine.
private func metadata(of report: EditReport) -> [(String, String)] {
  var lines = ["method": report.method, "model": report.model, "seed": "\(report.seed)"]
  lines["generator"] = report.generator
  lines["working size"] = "\(report.width)x\(report.height)"
  lines["prompt"] = report.prompt
  lines["source prompt"] = report.sourcePrompt
  lines["negative prompt"] = report.negativePrompt
  if !report.concepts.isEmpty { lines["concepts"] = report.concepts.joined(separator: ", ") }
  for (name, value) in report.parameters { lines[name] = value }
  let text = lines.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: "\n")
  return [("Software", "pentimento"), ("parameters", text)]
}
