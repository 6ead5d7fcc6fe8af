import ArgumentParser
import Editing
import FoundationEssentials
import ImageFiles
import Pentimento
import Tensors

/// Where an edit acts: masks and points, in pixels of the picture.
struct RegionOptions: ParsableArguments {
  @Option(
    help:
      "A picture of any size laid over the input: white = edit. auto: as the method finds it (drag: near the paths)."
  )
  var mask: String?

  @Option(
    parsing: .unconditional,
    help: "Soften the edge of the mask by this many pixels where the original is put back.")
  var feather = 0

  @Flag(
    inversion: .prefixedNo,
    help: "Put the original back outside the mask, bit for bit, where an edit obeys one.")
  var pasteBack = true

  @Option(help: "Write the mask that was used, given or found (.png or .pgm).")
  var saveMask: String?

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("Drag what is at one point to another. Repeatable.", valueName: "x0,y0:x1,y1"))
  var drag: [String] = []

  @Option(
    help: ArgumentHelp(
      "A JSON file with lists \"source\" and \"target\" of points and perhaps a \"prompt\"; origin_image.png and "
        + "mask.png beside it are taken where --image and --mask are not given.", valueName: "file"))
  var dragFile: String?

  @Option(help: "Drag all points at once (together, the default) or one after the other (sequential).")
  var dragOrder: DragOrder?

  enum DragOrder: String, ExpressibleByArgument, CaseIterable { case together, sequential }

  func validate() throws {
    guard (0...1000).contains(feather) else { throw ValidationError("--feather takes 0 to 1000 pixels") }
    if dragOrder != nil, drag.isEmpty, dragFile == nil {
      throw ValidationError("--drag-order says how points are dragged: give some with --drag x0,y0:x1,y1")
    }
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

  /// Puts points and the mask into a request.
  /// - Returns: the mask as the user gave it.
  func apply(to request: inout EditRequest, _ geometry: Geometry) throws -> MaskPicture? {
    var moves = try drag.map(DragFile.move(parsing:))
    if let dragFile {
      let file = try DragFile(path: dragFile)
      moves += file.moves
      request.prompt = request.prompt ?? file.prompt
    }
    request.moves = try moves.enumerated().map { try geometry.working($1, index: $0) }
    request.dragsInSequence = dragOrder == .sequential
    request.findsMask = mask == "auto"
    return try maskPath.map(PictureFile.readMask)
  }

  /// Refuses what only makes sense with a mask where an edit will have none.
  func check(_ entry: MethodEntry, _ request: EditRequest) throws {
    if let saveMask {
      guard entry.hasMask(request) else {
        throw RequestError.inputNotUsed(input: "--save-mask", method: request.method)
      }
      try PictureFile.checkWritable(saveMask, isMask: true)
    }
    guard feather == 0 || (entry.obeysMask(request) && pasteBack) else {
      throw ValidationError(
        "--feather softens where the original is put back: give a --mask and no --no-paste-back")
    }
  }

  /// The mask at the size of the picture, softened for pasting back; written if it was asked for.
  func finish(_ found: Mask?, given: MaskPicture?, _ geometry: Geometry) throws -> Mask? {
    let (width, height) = (geometry.picture.width, geometry.picture.height)
    let full =
      given.map { $0.nearest(height: height, width: width).soft }
      ?? found.map { geometry.pictureMask($0) }
    if let saveMask, let full { try PictureFile.write(MaskPicture(full), to: saveMask) }
    return feather > 0 ? full?.feathered(radius: feather) : full
  }
}

extension Geometry {
  /// Picture pixels → working pixels.
  fileprivate func working(_ move: Drag.Move, index: Int) throws -> Drag.Move {
    func point(_ p: Drag.Point) throws -> Drag.Point {
      guard (0..<picture.width).contains(p.x), (0..<picture.height).contains(p.y) else {
        throw EditError.pointOutside(
          index: index, x: p.x, y: p.y, width: picture.width, height: picture.height)
      }
      let (x, y) = workingPoint(x: p.x, y: p.y)
      return Drag.Point(x: x, y: y)
    }
    return Drag.Move(from: try point(move.source), to: try point(move.target))
  }
}
