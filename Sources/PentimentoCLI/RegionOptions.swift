import ArgumentParser
import Editing
import FoundationEssentials
import ImageFiles
import Pentimento
import Tensors

/// Where an edit acts: masks and points, in pixels of the picture.
struct RegionOptions: ParsableArguments {
  @Option(help: "A picture of any size laid over the input: white = edit. For drag also: auto.")
  var mask: String?

  @Option(help: "Soften the edge of the mask by this many pixels where the original is put back.")
  var feather = 0

  @Flag(inversion: .prefixedNo, help: "Put the original back outside the mask, bit for bit.")
  var pasteBack = true

  @Option(help: "Write the mask that was used, given or found (.png or .pgm).")
  var saveMask: String?

  @Option(help: ArgumentHelp("Drag what is at one point to another. Repeatable.", valueName: "x0,y0:x1,y1"))
  var drag: [String] = []

  @Option(
    help: ArgumentHelp(
      "A JSON file with lists \"source\" and \"target\" of points and perhaps a \"prompt\".", valueName: "file"))
  var dragFile: String?

  @Option(help: "Drag all points at once (together) or one after the other (sequential).")
  var dragOrder = DragOrder.together

  enum DragOrder: String, ExpressibleByArgument, CaseIterable { case together, sequential }

  func validate() throws {
    guard (0...1000).contains(feather) else { throw ValidationError("--feather takes 0 to 1000 pixels") }
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
    request.moves = try moves.map { try geometry.working($0) }
    request.dragsInSequence = dragOrder == .sequential
    request.masksDragPath = mask == "auto"
    guard let mask, mask != "auto" else { return nil }
    return try PictureFile.readMask(mask)
  }
}

/// Points to drag, as a benchmark of drag edits keeps them: JSON beside the picture.
struct DragFile {
  var moves: [Drag.Move] = []
  var prompt: String?

  private struct Contents: Decodable {
    var source: [[Double]]
    var target: [[Double]]
    var prompt: String?
  }

  init(path: String) throws {
    let contents: Contents
    do {
      contents = try JSONDecoder().decode(Contents.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    } catch {
      throw ValidationError("--drag-file \(path): is no JSON with lists \"source\" and \"target\" of points [x, y]")
    }
    let (source, target) = (contents.source, contents.target)
    guard source.count == target.count, !source.isEmpty, (source + target).allSatisfy({ $0.count == 2 }) else {
      throw ValidationError(
        "--drag-file \(path): has \(source.count) source and \(target.count) target points; give as many of both")
    }
    moves = zip(source, target).map { from, to in
      Drag.Move(from: .init(x: Int(from[0]), y: Int(from[1])), to: .init(x: Int(to[0]), y: Int(to[1])))
    }
    prompt = contents.prompt
  }

  /// `x0,y0:x1,y1`.
  static func move(parsing text: String) throws -> Drag.Move {
    let points = text.split(separator: ":").map { $0.split(separator: ",").compactMap { Int($0) } }
    guard points.count == 2, points.allSatisfy({ $0.count == 2 }) else {
      throw ValidationError("--drag \(text): write x0,y0:x1,y1 in pixels of the picture")
    }
    return Drag.Move(
      from: .init(x: points[0][0], y: points[0][1]), to: .init(x: points[1][0], y: points[1][1]))
  }
}

extension Geometry {
  /// Picture pixels → working pixels.
  fileprivate func working(_ move: Drag.Move) throws -> Drag.Move {
    func point(_ p: Drag.Point) throws -> Drag.Point {
      guard (0..<picture.width).contains(p.x), (0..<picture.height).contains(p.y) else {
        throw EditError.pointOutside(index: 0, x: p.x, y: p.y, width: picture.width, height: picture.height)
      }
      let (x, y) = workingPoint(x: p.x, y: p.y)
      return Drag.Point(x: x, y: y)
    }
    return Drag.Move(from: try point(move.source), to: try point(move.target))
  }
}

extension MethodEntry.MaskRule {
  var geometryRule: Geometry.MaskRule {
    switch self {
    case .nearest: .nearest
    case .majority: .majority
    case .soft: .soft
    }
  }
}
