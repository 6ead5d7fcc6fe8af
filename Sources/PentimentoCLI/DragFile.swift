import ArgumentParser
import Editing
import FoundationEssentials

/// Points to drag, as DragBench (Nie et al. 2024) keeps them in `prompt.json` beside `origin_image.png` and
/// `mask.png`:
///
///     {"source": [[x, y], …], "target": [[x, y], …], "prompt": "what the result shows"}
struct DragFile {
  var moves: [Drag.Move] = []
  var prompt: String?

  private struct Contents: Decodable {
    var source: [[Double]]
    var target: [[Double]]
    var prompt: String?
  }

  /// - Throws: `ValidationError` naming what is wrong with the file.
  init(path: String) throws {
    func wrong(_ reason: String) -> ValidationError { ValidationError("--drag-file \(path) \(reason)") }
    guard let bytes = FileManager.default.contents(atPath: path) else {
      throw wrong("cannot be read: check the path")
    }
    guard let contents = try? JSONDecoder().decode(Contents.self, from: bytes) else {
      throw wrong("is no JSON with lists \"source\" and \"target\": write each as [[x, y], …]")
    }
    let (source, target) = (contents.source, contents.target)
    guard source.count == target.count, !source.isEmpty else {
      throw wrong("has \(source.count) source and \(target.count) target points: give as many of both")
    }
    moves = try zip(source, target).map { from, to in
      guard let from = Self.point(from), let to = Self.point(to) else {
        throw wrong("has a point that is not [x, y] in pixels: write two numbers")
      }
      return Drag.Move(from: from, to: to)
    }
    prompt = contents.prompt
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
