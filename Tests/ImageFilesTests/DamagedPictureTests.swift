import Foundation
import ImageFiles
import Tensors
import TestSupport
import Testing

@Suite("Damaged picture") struct DamagedPictureTests {
  static let good = PNGTests.build(.init(color: .rgb, depth: 8, isInterlaced: false), 13, 11).bytes

  static func header(_ width: Int, _ height: Int) -> [UInt8] {
    PNGBuilder.signature
      + PNGBuilder.chunk("IHDR", bigEndian(width) + bigEndian(height) + [8, 2, 0, 0, 0])
      + PNGBuilder.chunk("IDAT", PNGBuilder.zlib([0, 0, 0, 0])) + PNGBuilder.chunk("IEND", [])
  }

  func failure(_ bytes: [UInt8], _ name: String = "picture.png") throws -> (PictureFileError?, String) {
    let folder = try TemporaryFolder()
    let path = try folder.file(name, bytes)
    do {
      _ = try PictureFile.read(path)
      return (nil, path)
    } catch let error as PictureFileError { return (error, path) }
  }

  func isDamage(_ error: PictureFileError?) -> Bool {
    if case .damaged = error { true } else { false }
  }

  @Test("is refused wherever it ends too early") func truncated() throws {
    for length in 4..<Self.good.count {
      let (error, _) = try failure(Array(Self.good[..<length]))
      #expect(isDamage(error), "\(length) bytes: \(String(describing: error))")
    }
  }

  @Test("is refused or read, never fatal, whichever bit is flipped") func flippedBits() throws {
    let critical = 8..<Self.good.count
    for at in critical {
      var bytes = Self.good
      bytes[at] ^= 1 << UInt8(at % 8)
      let (error, _) = try failure(bytes)
      // A flip that makes a critical chunk ancillary or the like ends in another error; none ends in a
      // picture.
      #expect(error != nil, "byte \(at)")
    }
  }

  @Test("is named by libpng's message when a checksum is wrong") func checksum() throws {
    var bytes = Self.good
    bytes[bytes.count - 13] ^= 1  // the last byte of the checksum of IDAT
    let (error, path) = try failure(bytes)
    #expect(error == .damaged(path: path, reason: "IDAT: CRC error"))
  }

  @Test("is one without width or height", arguments: [(0, 5), (5, 0)])
  func zeroDimensions(width: Int, height: Int) throws {
    let (error, _) = try failure(Self.header(width, height))
    #expect(isDamage(error))
  }

  @Test(
    "is refused before memory is taken when its header is absurd",
    arguments: [(32_769, 1), (1, 32_769), (20_000, 5_001), (Int(Int32.max), Int(Int32.max))])
  func tooLarge(width: Int, height: Int) throws {
    let (error, path) = try failure(Self.header(width, height))
    #expect(error == .tooLarge(path: path, width: width, height: height))
    let (pnmError, pnmPath) = try failure(Array("P6 \(width) \(height) 255\n".utf8))
    #expect(pnmError == .tooLarge(path: pnmPath, width: width, height: height))
  }

  @Test("is told from a missing, empty or foreign one") func otherFailures() throws {
    let folder = try TemporaryFolder()
    let nowhere = "\(folder.path)/nowhere.png"
    #expect(throws: PictureFileError.missing(path: nowhere)) { try PictureFile.read(nowhere) }
    #expect(throws: PictureFileError.isDirectory(path: folder.path)) { try PictureFile.read(folder.path) }
    let behindFile = try folder.file("file", [1]) + "/picture.png"
    #expect(throws: PictureFileError.missing(path: behindFile)) { try PictureFile.read(behindFile) }
    let device = "/dev/null"
    #expect(throws: PictureFileError.unreadable(path: device, reason: "not a regular file")) {
      try PictureFile.read(device)
    }
    let (empty, emptyPath) = try failure([])
    #expect(empty == .empty(path: emptyPath))
    for text in ["x", "Photos of the sea", "PNG", "P9 1 1", "BMW"] {
      let (error, path) = try failure(Array(text.utf8))
      #expect(error == .notAPicture(path: path))
    }
  }

  @Test(
    "of a format that is not read is called by its name",
    arguments: [
      ("WebP", Array("RIFF\0\0\0\0WEBPVP8 ".utf8)),
      ("GIF", Array("GIF89a".utf8)), ("TIFF", Array("II*\0".utf8)), ("PBM", Array("P4 8 1\n\0".utf8)),
      ("plain-text PGM or PPM", Array("P3 1 1 255 0 0 0".utf8)), ("PAM", Array("P7\nWIDTH 1".utf8)),
      ("HEIC", Array("\0\0\0\u{18}ftypheic".utf8)), ("AVIF", Array("\0\0\0\u{18}ftypavif".utf8)),
      ("BMP", Array("BM\u{46}\0\0\0\0\0\0\0".utf8)),
    ] as [(String, [UInt8])])
  func foreign(format: String, bytes: [UInt8]) throws {
    let (error, path) = try failure(bytes, "picture.jpg")
    #expect(error == .unsupported(path: path, format: format))
    #expect(error?.description.hasPrefix("\(path): \(format) is not read: convert it") == true)
  }
}
