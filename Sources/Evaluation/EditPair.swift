import FoundationEssentials
import ImageFiles
import JSON
import Tensors

/// A picture, what an edit should make of it, and everything a method may be told about it.
public struct EditPair: Sendable, Equatable {
  public var name: String
  /// What changes: colour, shape, ground, sky, move, add, remove or replace.
  public var kind: String
  public var sourceCaption: String
  public var targetCaption: String
  public var source: Picture
  /// The right answer, as rendered.
  public var truth: Picture
  /// White where `source` and `truth` differ.
  public var mask: MaskPicture
  /// Points to drag, `[x0, y0, x1, y1]` in pixels.
  public var drags: [[Int]]
  /// What a right result is told apart from; nil for pairs that bring the truth alone.
  public var renderings: Renderings?

  /// Reads `pairs.json` of a folder with the pictures that it names.
  ///
  /// - Throws: `EvaluationError.pairs` or `PictureFileError`.
  public static func read(folder: String) throws -> [EditPair] {
    let path = "\(folder)/pairs.json"
    let list: [ConfigValue]
    let entries: [Entry]
    do {
      let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
      list = try ConfigValue(parsing: Array(bytes), file: path)["pairs"].elements()
      entries = try list.map(Entry.init)
    } catch {
      throw EvaluationError.pairs(folder: folder)
    }
    return try zip(list, entries).map { json, entry in
      var pair = EditPair(
        name: entry.name, kind: entry.kind, sourceCaption: entry.sourceCaption,
        targetCaption: entry.targetCaption, source: try PictureFile.read("\(folder)/\(entry.source)"),
        truth: try PictureFile.read("\(folder)/\(entry.target)"),
        mask: try PictureFile.readMask("\(folder)/\(entry.mask)"), drags: entry.drag)
      let size = Extent(pair.source)
      guard Extent(pair.truth) == size, Extent(width: pair.mask.width, height: pair.mask.height) == size,
        pair.drags.allSatisfy({ $0.count == 4 })
      else { throw EvaluationError.pair(entry.name) }
      pair.renderings = try Renderings(json, folder: folder, name: entry.name, size: size)
      return pair
    }
  }

  /// A row of the file as `Tools/fixtures/make_pairs.py` writes it.
  private struct Entry {
    var name, kind, sourceCaption, targetCaption, source, target, mask: String
    var drag: [[Int]]

    init(_ json: ConfigValue) throws {
      (name, kind) = (try json["name"].string(), try json["kind"].string())
      sourceCaption = try json["source_caption"].string()
      targetCaption = try json["target_caption"].string()
      (source, target) = (try json["source"].string(), try json["target"].string())
      mask = try json["mask"].string()
      drag = try json["drag"].elements().map { try $0.integers() }
    }
  }
}

/// Why an evaluation cannot begin.
public enum EvaluationError: Error, Equatable, CustomStringConvertible {
  case pairs(folder: String)
  case pair(String)
  case contestant(String, reason: String)
  case nothingToDo(kinds: [String])

  public var description: String {
    switch self {
    case .pairs(let folder):
      "\(folder)/pairs.json: is missing or no list of pairs: name the folder that make_pairs.py or make_evaluation.py wrote"
    case .pair(let name):
      "the pair \(name): its pictures differ in size, a drag is not four numbers or a variant has no known attribute: write the pairs again"
    case .contestant(let text, let reason):
      "the method \"\(text)\" is not understood: \(reason); write for example sdedit or sdedit:sampler=sde:strength=0.6"
    case .nothingToDo(kinds: []):
      "there is no pair to edit, or no picture of one: name other pairs or folders"
    case .nothingToDo(let kinds):
      "no method has anything to do with the kinds \(kinds.joined(separator: ", ")): name others, or leave --kinds out"
    }
  }
}
