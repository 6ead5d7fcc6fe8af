import Editing
import Foundation
import ImageFiles
import JSON
import Pentimento
import Tensors
import Testing

@Suite("What an edit changed") struct EditChangeTests {
  private static let package = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().appending(path: "../..").standardizedFileURL
  private static let editor = try! Editor(
    model: Model(folder: package.appending(path: "Weights/embedded")), threads: 2)

  private static func latent(_ name: String) async throws -> Latent {
    let path = package.appending(path: "Examples/pairs/\(name).png").path
    return try await editor.codec.encode(PictureFile.read(path).signal).mean
  }

  /// Pairs in which an object moves, and from where to where.
  static let moves: [(name: String, move: Drag.Move)] = [
    ("move-ball", Drag.Move(from: Drag.Point(x: 136, y: 156), to: Drag.Point(x: 203, y: 156))),
    ("move-cone", Drag.Move(from: Drag.Point(x: 121, y: 154), to: Drag.Point(x: 189, y: 154))),
    ("move-cube", Drag.Move(from: Drag.Point(x: 53, y: 165), to: Drag.Point(x: 124, y: 165))),
    ("move-ball-tiles", Drag.Move(from: Drag.Point(x: 187, y: 154), to: Drag.Point(x: 121, y: 154))),
  ]

  @Test("PRINT") func measure() async throws {
    for (name, move) in Self.moves {
      let (source, target) = try await (Self.latent("\(name).source"), Self.latent("\(name).target"))
      for (what, edited) in [("perfect", target), ("none", source)] {
        let change = EditChange(
          edited, from: source, mask: nil, moves: [move], written: ["m"], pixelsPerLatent: Self.editor.model.pixelsPerLatent)
        print("MEASURE", name, what, change)
      }
    }
  }
}
