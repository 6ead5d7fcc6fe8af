import ArgumentParser
import Editing
import FoundationEssentials
import ImageFiles
import Pentimento

/// Where an edit acts: masks and points, in pixels of the picture.
struct RegionOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A picture of any size laid over the input: white = edit. auto: as the method finds it (drag: near the paths).",
      valueName: "file|auto"), completion: .pictures)
  var mask: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Soften the edge of the mask by this many pixels to both sides where the original is put back. (default: to the "
        + "inside alone, by what one cell of the model covers)"))
  var feather: Int?

  @Flag(
    inversion: .prefixedNo,
    help: "Put the original back outside the mask, bit for bit, where an edit obeys one.")
  var pasteBack = true

  @Option(
    help: ArgumentHelp(
      "Which part of a large picture the model is shown: auto (what surrounds the mask or the points), none (all of it), or "
        + "a window. The rest stays as it is.", valueName: "auto|none|X,Y,W,H"))
  var crop = "auto"

  @Flag(
    inversion: .prefixedNo,
    help:
      "Give back the fine detail that a smaller working size loses, where nothing was changed and no mask does it."
  )
  var detail = true

  @Option(
    help: ArgumentHelp("Write the mask that was used, given or found (.png or .pgm).", valueName: "file"),
    completion: .file(extensions: ["png", "pgm"]))
  var saveMask: String?

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("Drag what is at one point to another. Repeatable.", valueName: "x0,y0:x1,y1"))
  var drag: [String] = []

  @Option(
    help: ArgumentHelp(
      "A JSON file with lists \"source\" and \"target\" of points and perhaps a \"prompt\"; origin_image.png and "
        + "mask.png beside it are taken where --image and --mask are not given.", valueName: "file"),
    completion: .file(extensions: ["json"]))
  var dragFile: String?

  @Option(help: "Drag all points at once (together, the default) or one after the other (sequential).")
  var dragOrder: DragOrder?

  enum DragOrder: String, ExpressibleByArgument, CaseIterable { case together, sequential }

  func validate() throws {
    guard (0...1000).contains(feather ?? 0) else { throw ValidationError("--feather takes 0 to 1000 pixels") }
    guard ["auto", "none"].contains(crop) || Window(parsing: crop) != nil else {
      throw ValidationError("--crop takes auto, none or X,Y,W,H in pixels of the picture")
    }
    if dragOrder != nil, drag.isEmpty, dragFile == nil {
      throw ValidationError("--drag-order says how points are dragged: give some with --drag x0,y0:x1,y1")
    }
  }

  /// Where the mask is written.
  var maskOutput: PictureOutput? {
    get throws { try saveMask.map { try PictureOutput($0, format: nil, quality: nil, isMask: true) } }
  }

  /// The picture that belongs to the points, where it lies beside their file.
  var pictureOfDragFile: String? { beside(dragFile, "origin_image.png") }

  /// Nil where there is none or the method is to find it.
  var maskPath: String? { mask == "auto" ? nil : mask ?? beside(dragFile, "mask.png") }

  private func beside(_ path: String?, _ name: String) -> String? {
    guard let path else { return nil }
    let found = URL(fileURLWithPath: path).deletingLastPathComponent().appending(path: name).path
    return FileManager.default.fileExists(atPath: found) ? found : nil
  }

  /// Puts points and the mask into a request. Opens the mask's file.
  func apply(to request: inout EditRequest) throws {
    var moves = try drag.map(DragFile.move(parsing:))
    if let dragFile {
      let file = try DragFile(path: dragFile)
      moves += file.moves
      request.prompt = request.prompt ?? file.prompt
    }
    request.moves = moves
    request.dragsInSequence = dragOrder == .sequential
    request.findsMask = mask == "auto"
    request.mask = try maskPath.map { try OpenMask($0) }
    (request.pastesBack, request.feather) = (pasteBack, feather)
    request.crop = crop == "auto" ? .auto : Window(parsing: crop).map(EditRequest.Crop.window) ?? .none
    request.keepsDetail = detail
  }

  /// Refuses to write a mask where an edit will have none.
  ///
  /// - Throws: `MaskNotMade`.
  func check(_ job: EditJob) throws {
    guard saveMask == nil || job.hasMask else { throw MaskNotMade(method: job.methodName) }
  }
}

/// A mask is to be written, and the method has none.
struct MaskNotMade: Error, CustomStringConvertible {
  var method: String

  var description: String { "\(method) has no use for --save-mask: leave it out" }
}
