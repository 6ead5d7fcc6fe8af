import Editing
import Foundation
import ImageFiles
import JSON
import Pentimento
import Tensors
import Testing

/// On the rendered pairs, whose second picture is what a perfect edit makes of the first.
@Suite("What an edit changed") struct EditChangeTests {
  private static let package = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().appending(path: "../..").standardizedFileURL
  private static let editor = try! Editor(
    model: Model(folder: package.appending(path: "Weights/embedded")), threads: 2)

  private static func latent(_ name: String) async throws -> Latent {
    let path = package.appending(path: "Examples/pairs/\(name).png").path
    return try await editor.codec.encode(PictureFile.read(path).signal).mean
  }

  private static func change(
    _ edited: Latent, from source: Latent, mask: Mask? = nil, _ moves: [Drag.Move] = []
  ) -> EditChange {
    EditChange(
      edited, from: source, mask: mask, moves: moves, written: moves.map { _ in "0,0:1,1" },
      pixelsPerLatent: editor.model.pixelsPerLatent)
  }

  private static func notes(_ change: EditChange, putsBack: Bool = false) -> String {
    change.notes(takes: ["strength"], putsBack: putsBack).joined(separator: "\n")
  }

  /// The latent with noise of a standard deviation, where a mask says so.
  private static func moved(_ latent: Latent, by deviation: Double, in mask: Mask? = nil) throws -> Latent {
    let noise = try SeededTape(seed: 1).normal(0, like: latent)
    let moved = Latent.combination([(1, latent), (deviation, noise)])
    guard let mask else { return moved }
    return Latent(
      like: latent,
      values: latent.values.indices.map {
        mask.values[$0 / latent.channels] > 0 ? moved.values[$0] : latent.values[$0]
      })
  }

  // MARK: Nothing

  @Test("is next to nothing where nobody sees a difference, and is not where an edit works") func nothing()
    async throws
  {
    let source = try await Self.latent("colour-ball.source")
    #expect(Self.notes(Self.change(source, from: source)).contains("almost nothing"))
    // An SDEdit of strength 0.02, three steps of DDS.
    for deviation in [0.048, 0.060] {
      let change = try Self.change(Self.moved(source, by: deviation), from: source)
      #expect(abs(change.inside - deviation) < 0.1 * deviation)
      #expect(Self.notes(change).contains("almost nothing") && Self.notes(change).contains("more strength"))
    }
    for pair in ["colour-ball", "colour-cylinder", "shape-cube", "remove-cube", "sky-cube", "ground-cone"] {
      let (source, target) = try await (Self.latent("\(pair).source"), Self.latent("\(pair).target"))
      let change = Self.change(target, from: source)
      #expect(change.inside > 2 * EditChange.least, "\(pair): \(change)")
      #expect(Self.notes(change) == "", "\(pair)")
    }
  }

  // MARK: Outside of a mask

  @Test("is told where it lies outside of the mask, unless the original is put back there") func outside()
    async throws
  {
    let source = try await Self.latent("shape-cube.source")
    var mask = Mask(height: source.height, width: source.width, repeating: 0)
    for y in 10..<20 { for x in 8..<24 { mask[y, x] = 1 } }
    let obedient = try Self.moved(source, by: 0.5, in: mask)
    #expect(Self.change(obedient, from: source, mask: mask).outside == 0)
    #expect(Self.notes(Self.change(obedient, from: source, mask: mask)) == "")
    // As LEDITS++ does.
    let other = try Self.change(Self.moved(source, by: 0.19), from: source, mask: mask)
    #expect(Self.notes(other).contains("what is masked out too"))
    #expect(Self.notes(other, putsBack: true) == "")
  }

  // MARK: Drags

  /// Pairs in which an object moves, and from where to where.
  static let moves: [(name: String, from: (Int, Int), to: (Int, Int))] = [
    ("move-ball", (136, 156), (203, 156)), ("move-cone", (121, 154), (189, 154)),
    ("move-cube", (53, 165), (124, 165)), ("move-ball-tiles", (187, 154), (121, 154)),
  ]

  @Test("by a drag has arrived, is still there too, or has not arrived", arguments: moves.indices)
  func drags(index: Int) async throws {
    let (name, from, to) = Self.moves[index]
    let move = Drag.Move(from: .init(x: from.0, y: from.1), to: .init(x: to.0, y: to.1))
    let (source, target) = try await (Self.latent("\(name).source"), Self.latent("\(name).target"))
    let perfect = Self.change(target, from: source, [move])
    #expect(Self.notes(perfect) == "", "\(perfect)")
    let none = Self.change(source, from: source, [move])
    #expect(Self.notes(none).contains("did not arrive"), "\(none)")
    // The truth, with what was at the source put back.
    var both = target
    let cells = Self.editor.model.pixelsPerLatent
    for y in from.1 / cells - 2...from.1 / cells + 2 {
      for x in from.0 / cells - 2...from.0 / cells + 2 {
        for c in 0..<both.channels { both[y, x, c] = source[y, x, c] }
      }
    }
    let copied = Self.change(both, from: source, [move])
    #expect(Self.notes(copied).contains("also still where it was"), "\(copied)")
  }

  @Test("by a drag of the ground over the ground cannot be told") func flat() async throws {
    let (source, target) = try await (Self.latent("move-ball.source"), Self.latent("move-ball.target"))
    let sky = Drag.Move(from: .init(x: 40, y: 40), to: .init(x: 80, y: 40))
    let outcome = try #require(Self.change(target, from: source, [sky]).drags?.first)
    #expect(outcome.before < EditChange.alike, "\(outcome)")
    #expect(Self.notes(Self.change(target, from: source, [sky])) == "")
  }
}
