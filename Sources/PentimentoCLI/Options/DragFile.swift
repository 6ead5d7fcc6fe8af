import ArgumentParser
import Editing
import FoundationEssentials
import JSON

/// Points to drag, as DragBench (Nie et al. 2024) keeps them in `prompt.json` beside `origin_image.png` and
/// `mask.png`:
///
///     {"source": [[x, y], …], "target": [[x, y], …], "prompt": "what the result shows"}
struct DragFile {
  var moves: [Drag.Move] = []
  var prompt: String?

  /// - Throws: `ValidationError` naming what is wrong with the file.
  init(path: String) throws {
    func wrong(_ reason: String) -> ValidationError { ValidationError("--drag-file \(path) \(reason)") }
    guard let bytes = FileManager.default.contents(atPath: path) else {
      throw wrong("cannot be read: check the path")
    }
    guard let json = try? ConfigValue(parsing: Array(bytes), file: path),
      let source = try? Self.points(json["source"]), let target = try? Self.points(json["target"]),
      let prompt = try? json["prompt"].isPresent ? json["prompt"].string() : ""
    else {
      throw wrong("is no JSON with lists \"source\" and \"target\": write each as [[x, y], …]")
    }
    guard source.count == target.count, !source.isEmpty else {
      throw wrong("has \(source.count) source and \(target.count) target points: give as many of both")
    }
    moves = try zip(source, target).map { from, to in
      guard let from = Self.point(from), let to = Self.point(to) else {
        throw wrong("has a point that is not [x, y] in pixels: write two numbers")
      }
      return Drag.Move(from: from, to: to)
    }
    self.prompt = json["prompt"].isPresent ? prompt : nil
  }

  private static func points(_ list: ConfigValue) throws -> [[Double]] {
    try list.elements().map { try $0.elements().map { try $0.real() } }
  }

  private static func point(_ numbers: [Double]) -> Drag.Point? {
    guard numbers.count == 2, let x = Int(exactly: numbers[0].rounded(.towardZero)),
      let y = Int(exactly: numbers[1].rounded(.towardZero))
    else { return nil }
    return Drag.Point(x: x, y: y)
  }

  /// `x0,y0:x1,y1`.
  static func move(parsing text: String) throws -> Drag.Move {
    let points = text.split(separator: ":", omittingEmptySubsequences: false).map { point in
      point.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    }
    guard points.map(\.count) == [2, 2], let x0 = points[0][0], let y0 = points[0][1], let x1 = points[1][0],
      let y1 = points[1][1]
    else {
      throw ValidationError("--drag \(text) is not understood: write x0,y0:x1,y1 in pixels of the picture")
    }
    return Drag.Move(from: .init(x: x0, y: y0), to: .init(x: x1, y: y1))
  }
}
