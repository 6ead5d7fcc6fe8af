import ArgumentParser
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
  @OptionGroup(title: "Inversion") var inversion: InversionOptions
  @OptionGroup var noise: SeedOptions
  @OptionGroup var size: SizeOptions

  /// Where the picture lies; nil if none was named.
  var picturePath: String? { image ?? region.pictureOfDragFile }

  /// Reads the picture, keeps it at its working size only, and makes the request. An inversion can stand for the
  /// picture; for a plan, a black one does.
  func input(for model: Model) throws -> EditInput {
    let saved = try inversion.read()
    let original = try picturePath.map { try PictureFile.read($0) }
    let extent = original.map(Extent.init) ?? saved?.pictureExtent
    let working = try size.workingSize(of: extent, for: model, standard: saved?.origin.sizeOption)
    let geometry = Geometry(picture: extent ?? working.content, working: working)
    var request = EditRequest(method: method, width: working.padded.width, height: working.padded.height)
    if let original {
      request.picture = geometry.workingPicture(original)
    } else if saved == nil, !["generate", "sega"].contains(method) {
      request.picture = geometry.workingPicture(.black(geometry.picture))
    }
    request.inversion = saved
    request.keepsInversion = inversion.saveInversion != nil
    request.sourcePrompt = sourcePrompt
    request.settings = settings.settings
    request.seed = noise.seed ?? saved?.origin.seed ?? request.seed
    try prompts.apply(to: &request)
    let mask = try region.apply(to: &request, geometry)
    // The choice looks only at whether there is a mask; its form depends on the choice.
    request.mask = mask.map { geometry.latentMask($0, .soft) }
    let (name, reason) = try MethodEntry.resolve(request)
    request.method = name
    let entry = try MethodEntry.named(name)
    request.mask = mask.map { geometry.latentMask($0, entry.maskRule) }
    try region.check(entry, request)
    let pastesBack = region.pasteBack && entry.obeysMask(request)
    var memory = PictureMemory(of: geometry.picture)
    if request.picture == nil { memory.reading = 0 }
    memory.holding = mask?.pixels.count ?? 0
    // A soft mask, and the original once more.
    if pastesBack || region.saveMask != nil { memory.writing += 4 * geometry.picture.area }
    if pastesBack { memory.writing += 3 * geometry.picture.area }
    return EditInput(
      request: request, geometry: geometry, mask: mask, pastesBack: pastesBack,
      choice: reason.map { "method \(name), since \($0)" }, memory: memory)
  }
}

/// What becomes of the options of an edit.
struct EditInput {
  var request: EditRequest
  var geometry: Geometry
  /// The mask in full detail.
  var mask: MaskPicture?
  /// Whether the original is put back outside the mask, given or found.
  var pastesBack: Bool
  /// Which method was chosen and why.
  var choice: String?
  /// What the pictures take at their own size.
  var memory: PictureMemory
}

extension PictureMemory {
  /// A picture of this size is read, and one is written: three bytes a pixel.
  init(of picture: Extent) { self.init(reading: 3 * picture.area, writing: 3 * picture.area) }
}

extension Extent {
  var area: Int { width * height }
}

extension Picture {
  fileprivate static func black(_ size: Extent) -> Picture {
    Picture(width: size.width, height: size.height, pixels: Array(repeating: 0, count: 3 * size.area))
  }
}
