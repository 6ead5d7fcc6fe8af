import Evaluation
import Foundation
import ImageFiles
import Tensors
import Testing

/// The 20 rendered edits that methods are measured on, at 64 pixels: `make_evaluation.py --size 64` in
/// `Tools/fixtures`.
@Suite("Success of an edit") struct RenderingsTests {
  private static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appending(path: "../Fixtures/Evaluation").standardizedFileURL.path

  private let pairs: [EditPair]

  init() throws {
    pairs = try EditPair.read(folder: Self.fixtures)
  }

  @Test("is asked of 8 edits of colour, 6 of shape and 6 of ground, each with 15 other renderings")
  func committed() throws {
    #expect(
      pairs.map(\.kind)
        == ["colour", "shape", "ground"].flatMap { Array(repeating: $0, count: $0 == "colour" ? 8 : 6) })
    for pair in pairs {
      let renderings = try #require(pair.renderings)
      let rendered = renderings.variants.filter { !["grey", "blurred"].contains($0.value) }
      #expect(rendered.count == 7 + 3 + 5, "\(pair.name)")
      #expect(rendered.contains { $0.attribute == pair.kind && $0.picture == pair.source }, "\(pair.name)")
    }
  }

  @Test("is what the truth has, and the truth under mild noise")
  func truth() throws {
    for pair in pairs {
      #expect(EditScore(pair.truth, of: pair).succeeded, "\(pair.name)")
      #expect(EditScore(pair.truth, of: pair).overlap == 1, "\(pair.name)")
      let noisy = EditScore(pair.truth.noisy(levels: 12), of: pair)
      #expect(noisy.succeeded && noisy.attributesRight == Renderings.attributes, "\(pair.name)")
      // 40 levels tell object from ground, noise of 12 moves a pixel across in places.
      #expect(try #require(noisy.overlap) > 0.8, "\(pair.name): \(noisy.overlap ?? 0)")
    }
  }

  @Test("is not what a copy of the source has")
  func copy() {
    for pair in pairs {
      let score = EditScore(pair.source, of: pair)
      #expect(!score.succeeded && score.attributesRight?.contains(pair.kind) == false, "\(pair.name)")
    }
  }

  @Test("is not what a grey region of any level has")
  func grey() throws {
    for pair in pairs {
      for level in stride(from: 0, through: 255, by: 5) {
        let grey = pair.edited { _ in UInt8(level) }
        #expect(!EditScore(grey, of: pair).succeeded, "\(pair.name): level \(level)")
      }
    }
  }

  @Test("is not what a blurred region has: the source's, and where an object is edited the truth's")
  func blurred() throws {
    for pair in pairs {
      for cells in [8, 16] {
        let source = pair.source.blurred(cells: cells)
        #expect(
          !EditScore(pair.edited { source.pixels[$0] }, of: pair).succeeded,
          "\(pair.name): source, \(cells) cells")
      }
      guard pair.kind != "ground" else { continue }
      let truth = pair.truth.blurred(cells: 8)
      #expect(!EditScore(pair.edited { truth.pixels[$0] }, of: pair).succeeded, "\(pair.name): truth")
    }
  }

  @Test("is not what another colour, shape or ground has, noisy or not")
  func otherRenderings() throws {
    for pair in pairs {
      for variant in try #require(pair.renderings).variants {
        for picture in [variant.picture, variant.picture.noisy(levels: 8)] {
          let right = try #require(EditScore(picture, of: pair).attributesRight)
          #expect(!right.contains(variant.attribute), "\(pair.name): \(variant.attribute) \(variant.value)")
        }
      }
    }
  }

  @Test(
    "is a column of the table, and so are the attributes; pictures of other makers are scored from their folder"
  )
  func folder() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "made-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try PictureFile.write(pairs[0].truth, to: "\(folder)/\(pairs[0].name)@1.png")
    try PictureFile.write(pairs[0].source, to: "\(folder)/\(pairs[0].name)@2.png")
    try PictureFile.write(pairs[19].truth, to: "\(folder)/\(pairs[19].name).png")

    let rows = try EditEvaluation.score([folder], pairs)
    #expect(rows.map(\.kind) == ["all", "colour", "ground"] && rows.map(\.pairs) == [3, 2, 1])
    #expect(rows[1].succeeded == 0.5 && rows[1].attributes == [0.5, 1, 1] && rows[2].succeeded == 1)
    #expect(rows[0].evaluations == nil)
    let table = ResultRow.markdown(rows)
    #expect(
      table.contains("| succeeded | colour right | shape right | ground right | overlap of outlines |\n"))
    #expect(throws: EvaluationError.nothingToDo(kinds: [])) {
      try EditEvaluation.score([folder], [pairs[1]])
    }
  }
}

extension EditPair {
  /// The truth with new bytes in the region that the edit is about.
  fileprivate func edited(_ byte: (Int) -> UInt8) -> Picture {
    var picture = truth
    guard let region = kind == "ground" ? renderings?.ground : renderings?.object else { return picture }
    for pixel in 0..<region.pixels.count where region.pixels[pixel] >= 128 {
      for i in 3 * pixel..<3 * pixel + 3 { picture.pixels[i] = byte(i) }
    }
    return picture
  }
}

extension Picture {
  /// With a sum of three uniform draws of a fixed generator on every byte: deviation `levels`.
  fileprivate func noisy(levels: Double) -> Picture {
    var state: UInt64 = 7
    func uniform() -> Double {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Double(state >> 11) / Double(1 << 53) * 2 - 1
    }
    var picture = self
    for i in 0..<pixels.count {
      // A uniform draw in −1…1 has the variance ⅓.
      let noise = levels * (uniform() + uniform() + uniform())
      picture.pixels[i] = UInt8(min(max((Double(pixels[i]) + noise).rounded(), 0), 255))
    }
    return picture
  }

  /// Through `cells` means across and back.
  fileprivate func blurred(cells: Int) -> Picture {
    resized(width: cells, height: cells).resized(width: width, height: height)
  }
}
