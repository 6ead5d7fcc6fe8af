import Foundation
import ImageFiles
import Tensors
import TestSupport
import Testing

@Suite("JPEG file") struct JPEGTests {
  static let kinds = [
    "baseline-444", "baseline-422", "baseline-420", "progressive-444", "progressive-422", "progressive-420",
    "restarts", "grey", "grey-progressive",
  ]

  static func path(_ name: String) -> String {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appending(path: "../Fixtures/pictures/\(name)").standardizedFileURL.path
  }

  static func bytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: path(name))))
  }

  func failure(_ bytes: [UInt8]) throws -> PictureFileError? {
    let folder = try TemporaryFolder()
    let path = try folder.file("picture.jpg", bytes)
    do { _ = try PictureFile.read(path) } catch let error as PictureFileError { return error }
    return nil
  }

  /// The place of a segment's marker.
  func place(of marker: UInt8, in bytes: [UInt8]) throws -> Int {
    var at = 2
    while bytes[at + 1] != marker {
      #expect(bytes[at] == 0xFF && bytes[at + 1] != 0xDA)
      at += 2 + Int(bytes[at + 2]) << 8 + Int(bytes[at + 3])
    }
    return at
  }

  @Test("shows what another decoder of libjpeg-turbo's family shows", arguments: kinds)
  func truth(kind: String) throws {
    let picture = try OpenPicture(Self.path("\(kind).jpg"))
    #expect(picture.extent == Extent(width: 61, height: 47))
    // Versions differ in the rounding of the inverse transform and of upsampled colours, by a level each.
    #expect(
      try Picture(reading: picture).largestDifference(PictureFile.read(Self.path("\(kind).png"))) <= 2)
  }

  @Test("is a mask as well: grey as it is, of colours the largest channel") func mask() throws {
    for kind in ["grey", "baseline-444"] {
      let picture = try PictureFile.read(Self.path("\(kind).jpg")).pixels
      let largest = stride(from: 0, to: picture.count, by: 3).map { picture[$0..<$0 + 3].max()! }
      #expect(try PictureFile.readMask(Self.path("\(kind).jpg")).pixels == largest)
    }
  }

  @Test(
    "is damaged wherever it is cut off, never filled with grey",
    arguments: ["baseline-420", "progressive-420"])
  func truncated(kind: String) throws {
    let bytes = try Self.bytes("\(kind).jpg")
    // Without the two bytes that say that nothing follows it is cut off too.
    for count in stride(from: 3, to: bytes.count, by: 7) + [bytes.count - 2, bytes.count - 1] {
      guard case .damaged = try failure(Array(bytes[..<count])) else {
        Issue.record("\(count) of \(bytes.count) bytes are read")
        continue
      }
    }
  }

  @Test("may have a few bytes between its last pixel and its end, as some cameras write them")
  func extraBytes() throws {
    let bytes = try Self.bytes("baseline-444.jpg")
    #expect(bytes.suffix(2) == [0xFF, 0xD9])
    let folder = try TemporaryFolder()
    let pixels = Array(bytes[..<(bytes.count - 2)])
    let few = try folder.file("few.jpg", pixels + [0, 0, 0xFF, 0xD9])
    #expect(try PictureFile.read(few) == PictureFile.read(Self.path("baseline-444.jpg")))
    let many = pixels + [UInt8](repeating: 0, count: 100) + [0xFF, 0xD9]
    guard case .damaged = try failure(many) else {
      Issue.record("100 bytes are read")
      return
    }
    let behind = try folder.file("behind.jpg", bytes + [1, 2, 3])
    #expect(try PictureFile.read(behind) == PictureFile.read(Self.path("baseline-444.jpg")))
  }

  @Test("of a kind that is not read is called by its name") func unsupported() throws {
    let bytes = try Self.bytes("baseline-444.jpg")
    let frame = try place(of: 0xC0, in: bytes)
    func changed(_ at: Int, _ value: UInt8) throws -> PictureFileError? {
      var bytes = bytes
      bytes[frame + at] = value
      return try failure(bytes)
    }
    func format(_ error: PictureFileError?) -> String? {
      if case .unsupported(_, let format) = error { format } else { nil }
    }
    #expect(format(try changed(1, 0xC3)) == "lossless JPEG")
    #expect(format(try changed(1, 0xC9)) == "arithmetic-coded JPEG")
    #expect(format(try changed(1, 0xCA)) == "arithmetic-coded JPEG")
    #expect(format(try changed(1, 0xC5)) == "hierarchical JPEG")
    #expect(format(try changed(4, 12)) == "JPEG of 12 bits")
    #expect(format(try failure(Self.bytes("cmyk.jpg"))) == "CMYK JPEG")
  }

  @Test("states its size before anything is allocated") func sizes() throws {
    var bytes = try Self.bytes("baseline-444.jpg")
    let frame = try place(of: 0xC0, in: bytes)
    let folder = try TemporaryFolder()
    bytes.replaceSubrange(frame + 5..<frame + 9, with: [0x27, 0x10, 0x27, 0x10])
    let square = try OpenPicture(folder.file("square.jpg", bytes))
    #expect(square.extent == Extent(width: 10_000, height: 10_000))
    #expect((300_000_000..<310_000_000).contains(square.passBytes))
    bytes.replaceSubrange(frame + 5..<frame + 9, with: [0xFF, 0xFF, 0xFF, 0xFF])
    let path = try folder.file("picture.jpg", bytes)
    #expect(throws: PictureFileError.tooLarge(path: path, width: 65_535, height: 65_535)) {
      try OpenPicture(path)
    }
    bytes.replaceSubrange(frame + 5..<frame + 9, with: [0, 0, 0, 61])
    #expect(try failure(bytes)?.description.contains("without a height") == true)
  }

  @Test("counts the coefficients that a decoder of several scans keeps") func coefficients() throws {
    func bytes(_ name: String) throws -> Int {
      let file = try Self.bytes("\(name).jpg").count
      return try OpenPicture(Self.path("\(name).jpg")).passBytes - file
    }
    // 61×47: 8 × 6 blocks of 64 coefficients of two bytes for each component.
    let progressive444 = try bytes("progressive-444")
    let cursor444 = try Self.bytes("progressive-444.jpg").count - Self.bytes("baseline-444.jpg").count
    #expect(try progressive444 - bytes("baseline-444") == 3 * 8 * 6 * 128 + cursor444)
    // Half of it in both directions: 4 × 3 blocks for the two colours.
    let cursor420 = try Self.bytes("progressive-420.jpg").count - Self.bytes("baseline-420.jpg").count
    #expect(
      try bytes("progressive-420") - bytes("baseline-420") == (8 * 6 + 2 * 4 * 3) * 128 + cursor420)
  }

  @Test("is refused or read, never fatal, whatever its header says") func hostileHeaders() throws {
    for kind in ["baseline-420", "progressive-420", "held-6", "grey"] {
      let bytes = try Self.bytes("\(kind).jpg")
      let end = try place(of: 0xDA, in: bytes) + 14
      let folder = try TemporaryFolder()
      for at in 2..<end {
        for value in [0, 0xFF, bytes[at] ^ 0x10] as [UInt8] where value != bytes[at] {
          var changed = bytes
          changed[at] = value
          let path = try folder.file("picture.jpg", changed)
          // Sizes beyond a megapixel are for another test.
          if let open = try? OpenPicture(path), open.extent.width * open.extent.height < 1_000_000 {
            _ = try? Picture(reading: open)
          }
        }
      }
    }
  }
}

private func + (a: StrideTo<Int>, b: [Int]) -> [Int] { Array(a) + b }
