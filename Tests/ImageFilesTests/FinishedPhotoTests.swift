import Foundation
import ImageFiles
import Pictures
import Tensors
import TestSupport
import Testing

/// Edits of photos with more than eight bits of red, green and blue.
@Suite("Finished photo") struct FinishedPhotoTests {
  /// The middle third of 13·11 pixels.
  static let mask = MaskPicture(13, 11) { x, y in (4..<9).contains(x) && (3..<8).contains(y) ? 255 : 0 }

  static func coverage(_ extent: Extent) throws -> EditCoverage {
    let geometry = Geometry(
      picture: extent, working: try WorkingSize(filling: extent, with: Extent(width: 64, height: 64)))
    return EditCoverage(PictureMask(mask, over: geometry), .none)
  }

  @Test("has the photo's own samples outside its mask, whatever the kind", arguments: PNGTests.Kind.all)
  func outside(kind: PNGTests.Kind) throws {
    let folder = try TemporaryFolder()
    let path = try folder.file("photo.png", PNGTests.build(kind, 13, 11).bytes)
    let photo = try OpenPicture(path)
    let edit = Picture(13, 11) { x, y, c in (x * 19 + y * 7 + c * 50) % 256 }
    try PictureFile.write(
      FinishedPhoto(edit, of: photo, within: Self.coverage(photo.extent)), to: "\(folder.path)/result.png")
    let result = try OpenPicture("\(folder.path)/result.png")
    #expect(result.format == photo.format)
    let bytes = photo.format.bytesPerPixel
    let (old, new) = (try photo.storedPass(), try result.storedPass())
    var (oldRow, newRow) = (
      [UInt8](repeating: 0, count: 13 * bytes), [UInt8](repeating: 0, count: 13 * bytes)
    )
    for y in 0..<11 {
      try oldRow.withUnsafeMutableBufferPointer { try old.next(into: $0) }
      try newRow.withUnsafeMutableBufferPointer { try new.next(into: $0) }
      for x in 0..<13 where Self.mask.pixels[13 * y + x] == 0 {
        #expect(oldRow[x * bytes..<(x + 1) * bytes] == newRow[x * bytes..<(x + 1) * bytes])
      }
    }
  }

  @Test("shows the edit inside, as far as transparency lets it be seen", arguments: [8, 16])
  func inside(depth: Int) throws {
    let folder = try TemporaryFolder()
    let kind = PNGTests.Kind(color: .rgba, depth: depth, isInterlaced: false)
    let photo = try OpenPicture(folder.file("photo.png", PNGTests.build(kind, 13, 11).bytes))
    // What the edit sees, it gives back: a change where nothing was changed would be seen.
    let seen = try Picture(reading: photo)
    let result = FinishedPhoto(seen, of: photo)
    #expect(try Picture(reading: result).largestDifference(seen) <= 1)
    let path = "\(folder.path)/result.png"
    try PictureFile.write(result, to: path)
    #expect(try OpenPicture(path).facts.hasAlpha && OpenPicture(path).facts.bits == depth)
    for name in ["result.jpg", "result.ppm"] {
      try PictureFile.write(result, to: "\(folder.path)/\(name)", quality: 100)
      let flat = try OpenPicture("\(folder.path)/\(name)")
      #expect(!flat.facts.hasAlpha)
      if name == "result.ppm" { #expect(try Picture(reading: flat).largestDifference(seen) <= 1) }
    }
  }

  @Test("knows nothing of colours that nobody sees") func hidden() throws {
    let folder = try TemporaryFolder()
    func photo(_ hidden: Int) throws -> OpenPicture {
      let png = PNGBuilder(width: 13, height: 11, color: .rgba, depth: 8, isInterlaced: false) { x, y, c in
        c == 3 ? (x < 6 ? 0 : 200) : x < 6 ? hidden : 90
      }
      return try OpenPicture(folder.file("\(hidden).png", png.bytes))
    }
    let (a, b) = (try photo(3), try photo(250))
    #expect(try Picture(reading: a) == Picture(reading: b))
    #expect(try Picture(reading: a).pixels.prefix(3) == [255, 255, 255])
  }

  @Test("is the edit itself where the mask is white, and a mixture where it is grey") func deepMixture()
    throws
  {
    let folder = try TemporaryFolder()
    let kind = PNGTests.Kind(color: .rgb, depth: 16, isInterlaced: false)
    let photo = try OpenPicture(folder.file("photo.png", PNGTests.build(kind, 13, 11).bytes))
    let geometry = Geometry(
      picture: photo.extent,
      working: try WorkingSize(filling: photo.extent, with: Extent(width: 64, height: 64)))
    let grey = MaskPicture(13, 11) { x, _ in x < 6 ? 255 : 102 }
    let edit = Picture(13, 11) { _, _, _ in 10 }
    let result = FinishedPhoto(
      edit, of: photo, within: EditCoverage(PictureMask(grey, over: geometry), .none))
    let rows = try result.storedPass()
    var row = [UInt8](repeating: 0, count: 6 * 13)
    try row.withUnsafeMutableBufferPointer { try rows.next(into: $0) }
    func sample(_ i: Int) -> Int { Int(row[2 * i]) << 8 | Int(row[2 * i + 1]) }
    #expect(sample(0) == 2570)
    let old = PNGTests.stored(7, 0, 1, 16)
    #expect(abs(sample(22) - (old * 3 + 2570 * 2) / 5) <= 1)
  }
}

@Suite("JPEG that is written") struct JPEGWritingTests {
  /// Strips are of 16 rows: below, at, above, several, and a last one that is cut.
  static let sizes = [(1, 1), (17, 15), (33, 16), (16, 17), (61, 47), (100, 160)]

  static func picture(_ width: Int, _ height: Int) -> Picture {
    Picture(width, height) { x, y, c in (x * 3 + y * (c + 1) * 2 + (x / 9 + y / 7) % 2 * 60) % 256 }
  }

  @Test("shows the picture, whatever its size", arguments: sizes, [100, 90, 89, 40])
  func truth(size: (Int, Int), quality: Int) throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.jpg"
    let picture = Self.picture(size.0, size.1)
    try PictureFile.write(picture, to: path, quality: quality)
    let again = try PictureFile.read(path)
    #expect(again.extent == picture.extent)
    let error = zip(again.pixels, picture.pixels).reduce(0.0) { $0 + abs(Double($1.0) - Double($1.1)) }
    // Colour of four pixels is one where it is halved; this picture is made of edges.
    #expect(error / Double(picture.pixels.count) < (quality == 100 ? 1 : quality >= 90 ? 5 : 25))
    let first = try folder.bytes("a.jpg")
    try PictureFile.write(picture, to: path, quality: quality)
    #expect(try folder.bytes("a.jpg") == first)
  }

  @Test("is smaller with less quality") func quality() throws {
    let folder = try TemporaryFolder()
    let sizes = try [95, 80, 50].map { quality in
      try PictureFile.write(Self.picture(100, 160), to: "\(folder.path)/a.jpg", quality: quality)
      return try folder.bytes("a.jpg").count
    }
    #expect(sizes[0] > sizes[1] && sizes[1] > sizes[2])
  }

  @Test("keeps a photo's EXIF, upright and without the old small picture") func exif() throws {
    let folder = try TemporaryFolder()
    let source = try OpenPicture(JPEGTests.path("held-6.jpg"))
    #expect(source.facts.isTurned && source.exif != nil)
    for name in ["a.jpg", "a.png"] {
      try PictureFile.write(source, to: "\(folder.path)/\(name)", quality: 100)
      let again = try OpenPicture("\(folder.path)/\(name)")
      #expect(!again.facts.isTurned && again.extent == source.extent && again.exif == source.exif)
      try PictureFile.write(source, to: "\(folder.path)/\(name)", keepsEXIF: false)
      #expect(try OpenPicture("\(folder.path)/\(name)").exif == nil)
    }
    // Orientation 6, and a second directory with a small JPEG of four bytes at the end.
    let tiff: [UInt8] = [
      0x4D, 0x4D, 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0, 0, 0, 0, 26, 0, 2,
      2, 1, 0, 4, 0, 0, 0, 1, 0, 0, 0, 56, 2, 2, 0, 4, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 0, 0xFF, 0xD8, 0xFF,
      0xD9,
    ]
    var bytes = try JPEGTests.bytes("baseline-444.jpg")
    let content = Array("Exif\0\0".utf8) + tiff
    bytes.insert(contentsOf: [0xFF, 0xE1, 0, UInt8(content.count + 2)] + content, at: 2)
    let kept = try #require(OpenPicture(folder.file("b.jpg", bytes)).exif)
    #expect(kept.count == tiff.count && kept[19] == 1 && kept[20...].allSatisfy { $0 == 0 })
  }

  @Test("has comments of any length, and refuses a mask") func comments() throws {
    let folder = try TemporaryFolder()
    let text = String(repeating: "é wide ", count: 20_000)
    try PictureFile.write(
      Self.picture(20, 20), to: "\(folder.path)/a.jpg",
      metadata: [("parameters", text), ("pentimento", "{}")])
    #expect(try PictureFile.texts("\(folder.path)/a.jpg").map(\.0) == ["parameters", "pentimento"])
    #expect(try PictureFile.texts("\(folder.path)/a.jpg").first?.1 == text)
    #expect(throws: PictureFileError.unknownExtension(path: "m.jpg")) {
      try PictureFile.checkWritable("m.jpg", isMask: true)
    }
  }
}
