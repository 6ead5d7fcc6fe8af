import Foundation
import ImageFiles
import Tensors
import TestSupport
import Testing

@Suite("Orientation") struct OrientationTests {
  static let kinds = PNGTests.Kind.all.filter { $0.depth == 8 }

  /// A PNG that shows the same upright picture whatever its orientation.
  func png(_ kind: PNGTests.Kind, _ orientation: Int, ancillary: [(String, [UInt8])]) -> PNGBuilder {
    let upright = PNGTests.build(kind, 13, 11)
    let turned = stored(width: 13, height: 11, orientation: orientation) { x, y in (x, y) }
    var png = upright
    (png.width, png.height) = (turned.width, turned.height)
    png.sample = { x, y, c in
      let (u, v) = turned.pixel[y * turned.width + x]
      return upright.sample(u, v, c)
    }
    png.ancillary += ancillary
    return png
  }

  @Test("of a PNG is applied: the upright result is that of the upright file", arguments: 1...8, kinds)
  func ofPNG(orientation: Int, kind: PNGTests.Kind) throws {
    let folder = try TemporaryFolder()
    let upright = try folder.file("upright.png", png(kind, 1, ancillary: []).bytes)
    for littleEndian in [false, true] {
      let file = png(
        kind, orientation, ancillary: [("eXIf", exif(orientation: orientation, littleEndian: littleEndian))])
      let turned = try folder.file("turned.png", file.bytes)
      let open = try OpenPicture(turned)
      #expect(open.extent == Extent(width: 13, height: 11))
      #expect(open.facts.isTurned == (orientation != 1))
      #expect(try Picture(reading: open) == PictureFile.read(upright))
      #expect(try PictureFile.readMask(turned) == PictureFile.readMask(upright))
      #expect(try PictureFile.read(turned, alpha: .onWhite) == PictureFile.read(upright, alpha: .onWhite))
    }
  }

  @Test("of a JPEG is applied: the upright result is that of the upright file", arguments: 1...8)
  func ofJPEG(orientation: Int) throws {
    let open = try OpenPicture(JPEGTests.path("held-\(orientation).jpg"))
    #expect(open.extent == Extent(width: 48, height: 32))
    #expect(open.facts.isTurned == (orientation != 1))
    let (picture, upright) = (try Picture(reading: open), try PictureFile.read(JPEGTests.path("held-1.jpg")))
    // The transform is the same in all directions but for the rounding of coefficients, of which a block has 64: at
    // quality 95 they are rounded to steps of 1 to 10 levels, and only those near the middle fall otherwise.
    #expect(picture.largestDifference(upright) <= 8)
    // So it is as near to what was compressed as the upright file is.
    let truth = try PictureFile.read(JPEGTests.path("held-1.png"))
    func error(_ picture: Picture) -> Int {
      zip(picture.pixels, truth.pixels).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
    }
    #expect(Double(error(picture)) < 1.05 * Double(error(upright)))
  }

  @Test("is read behind the pixels as well, and behind the mark of JPEG's segment") func places() throws {
    let kind = PNGTests.Kind(color: .rgb, depth: 8, isInterlaced: false)
    let folder = try TemporaryFolder()
    var bytes = png(kind, 6, ancillary: []).bytes
    let marked = Array("Exif\0\0".utf8) + exif(orientation: 6, littleEndian: true)
    bytes.insert(contentsOf: PNGBuilder.chunk("eXIf", marked), at: bytes.count - 12)
    #expect(try PictureFile.read(folder.file("late.png", bytes)) == PNGTests.expected(kind, 13, 11))
    let long = png(kind, 6, ancillary: [("eXIf", exif(orientation: 6, type: 4))]).bytes
    #expect(try PictureFile.read(folder.file("long.png", long)) == PNGTests.expected(kind, 13, 11))
  }

  @Test("that makes no sense is none") func nonsense() throws {
    let kind = PNGTests.Kind(color: .rgb, depth: 8, isInterlaced: false)
    let folder = try TemporaryFolder()
    let good = exif(orientation: 6)
    var wrong: [[UInt8]] = [[], exif(orientation: 0), exif(orientation: 9), exif(orientation: 6, type: 2)]
    wrong += (1..<good.count - 4).map { Array(good[..<$0]) }.filter { $0.count < 20 }
    var far = good
    far.replaceSubrange(4..<8, with: [0xFF, 0xFF, 0xFF, 0xFF])
    var many = good
    many.replaceSubrange(8..<10, with: [0xFF, 0xFF])
    many.replaceSubrange(10..<12, with: [0x01, 0x13])
    for data in wrong + [far, many] {
      let path = try folder.file("picture.png", png(kind, 1, ancillary: [("eXIf", data)]).bytes)
      #expect(try PictureFile.read(path) == PNGTests.expected(kind, 13, 11), "\(data)")
    }
  }

  @Test("2 needs a row, others the whole picture, and it is counted") func memory() throws {
    let kind = PNGTests.Kind(color: .rgb, depth: 8, isInterlaced: false)
    let folder = try TemporaryFolder()
    func passBytes(_ orientation: Int, interlaced: Bool = false) throws -> Int {
      var file = png(kind, orientation, ancillary: [("eXIf", exif(orientation: orientation))])
      file.isInterlaced = interlaced
      return try OpenPicture(folder.file("\(orientation).png", file.bytes)).passBytes
    }
    let upright = try passBytes(1)
    #expect(try passBytes(2) == upright)
    #expect(try passBytes(3) == upright + 13 * 11 * 3)
    // The file is a little longer, too.
    #expect((0..<100).contains(try passBytes(1, interlaced: true) - upright - 13 * 11 * 3))
  }
}
