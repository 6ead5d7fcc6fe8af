import Pictures
import Tensors
import TestSupport
import Testing

@Suite("Geometry") struct GeometryTests {
  func geometry(_ width: Int, _ height: Int, native: Int = 128, multiple: Int = 64) throws -> Geometry {
    let picture = Extent(width: width, height: height)
    return Geometry(
      picture: picture,
      working: try WorkingSize(picture: picture, nativeSide: native, multiple: multiple))
  }

  static let sizes = [(128, 128), (67, 71), (64, 4000), (211, 113), (512, 768), (1009, 499)]

  @Test("gives back the size that came in", arguments: sizes) func restoresSize(size: (Int, Int)) throws {
    let geometry = try geometry(size.0, size.1)
    let working = geometry.workingPicture(.speckled(size.0, size.1))
    #expect(Extent(working) == geometry.padded)
    #expect(Extent(geometry.restore(working)) == geometry.picture)
  }

  @Test("passes a twelve-megapixel picture and gives back its size") func largePicture() throws {
    let geometry = try geometry(4000, 3000, native: 512)
    let working = geometry.workingPicture(
      Picture(width: 4000, height: 3000, pixels: Array(repeating: 200, count: 36_000_000)))
    #expect(working == Picture(640, 448) { _, _, _ in 200 })
    #expect(Extent(geometry.restore(working)) == geometry.picture)
  }

  @Test("gives back a picture of native size bit for bit") func identity() throws {
    let picture = Picture.speckled(128, 128)
    let geometry = try geometry(128, 128)
    #expect(geometry.workingPicture(picture) == picture)
    #expect(geometry.restore(picture) == picture)
  }

  @Test("repeats the right and lower edges as padding") func padding() throws {
    let geometry = try geometry(131, 125)
    #expect(geometry.content == Extent(width: 131, height: 125))
    #expect(geometry.padded == Extent(width: 192, height: 128))
    let picture = Picture.speckled(131, 125)
    let working = geometry.workingPicture(picture)
    #expect(
      working
        == Picture(192, 128) { x, y, c in Int(picture.pixels[(min(y, 124) * 131 + min(x, 130)) * 3 + c]) })
    #expect(geometry.restore(working) == picture)
  }

  @Test("keeps points inside and in order both ways", arguments: sizes) func points(size: (Int, Int)) throws {
    let geometry = try geometry(size.0, size.1)
    #expect(geometry.workingPoint(x: 0, y: 0).x <= geometry.content.width / size.0 / 2 + 1)
    var last = -1
    for x in 0..<size.0 {
      let there = geometry.workingPoint(x: x, y: 0)
      #expect((0..<geometry.content.width).contains(there.x) && there.x >= last)
      last = there.x
      // Back again: off by at most half a pixel of the coarser grid plus one of the finer one.
      let back = geometry.picturePoint(x: there.x, y: there.y)
      let cell = Double(size.0) / Double(geometry.content.width)
      #expect(abs(Double(back.x - x)) <= cell / 2 + 1)
    }
    let end = geometry.picturePoint(x: geometry.padded.width - 1, y: geometry.padded.height - 1)
    #expect((0..<size.0).contains(end.x) && (0..<size.1).contains(end.y))
  }

  @Test("leaves points alone when the picture is not scaled") func pointIdentity() throws {
    let geometry = try geometry(131, 125)
    for (x, y) in [(0, 0), (130, 124), (64, 7)] {
      #expect(geometry.workingPoint(x: x, y: y) == (x, y))
      #expect(geometry.picturePoint(x: x, y: y) == (x, y))
    }
    #expect(geometry.picturePoint(x: 191, y: 127) == (130, 124))
  }

  @Test("takes the upper left pixel of each latent element for a nearest mask") func nearestMask() throws {
    let geometry = try geometry(128, 128)
    let mask = MaskPicture(128, 128) { x, y in (x * 37 + y * 101) % 256 }
    let latent = geometry.latentMask(mask, .nearest)
    #expect(latent.height == 16 && latent.width == 16)
    for i in latent.values.indices {
      let value = mask.pixels[i / 16 * 8 * 128 + i % 16 * 8]
      #expect(latent.values[i] == (value >= 128 ? 1 : 0))
    }
  }

  @Test("averages a mask over each latent element") func areaMask() throws {
    let geometry = try geometry(128, 128)
    // Half of the second column of elements, and one pixel less than half of the fourth.
    let mask = MaskPicture(128, 128) { x, y in
      (12..<16).contains(x) || (28..<32).contains(x) && (x != 28 || y % 8 != 3) ? 255 : 0
    }
    let soft = geometry.latentMask(mask, .soft)
    #expect(soft.values[1] == 0.5 && soft.values[3] == 31 / 64.0 && soft.values[0] == 0)
    let binary = geometry.latentMask(mask, .majority)
    #expect(binary.isBinary && binary.values[1] == 1 && binary.values[3] == 0)
  }

  @Test(
    "keeps empty masks empty and full ones full at every size", arguments: sizes,
    [(7, 5), (61, 127), (1009, 3)])
  func uniformMasks(size: (Int, Int), maskSize: (Int, Int)) throws {
    let geometry = try geometry(size.0, size.1)
    for rule in [MaskRule.nearest, .majority, .soft] {
      let empty = geometry.latentMask(MaskPicture(maskSize.0, maskSize.1) { _, _ in 0 }, rule)
      let full = geometry.latentMask(MaskPicture(maskSize.0, maskSize.1) { _, _ in 255 }, rule)
      #expect(empty.height == geometry.latentHeight && empty.width == geometry.latentWidth)
      #expect(empty.isEmpty)
      // Overlaps sum exactly; the division by their sum may round.
      #expect(full.values.allSatisfy { abs($0 - 1) <= 0x1p-23 })
    }
  }
}
