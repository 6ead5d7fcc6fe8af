import Foundation
import ImageFiles
import Tensors
import TestSupport
import Testing

@Suite("Written picture") struct WritingTests {
  @Test("is read back bit for bit", arguments: ["png", "PNG", "ppm"], [(1, 1), (13, 11), (257, 3)])
  func roundTrip(type: String, size: (Int, Int)) throws {
    let folder = try TemporaryFolder()
    let picture = Picture.speckled(size.0, size.1)
    let path = "\(folder.path)/picture.\(type)"
    try PictureFile.write(picture, to: path)
    #expect(try PictureFile.read(path) == picture)
    #expect(try folder.names == ["picture.\(type)"])
  }

  @Test("is read back bit for bit as a mask", arguments: ["png", "pgm"]) func mask(type: String) throws {
    let folder = try TemporaryFolder()
    let mask = MaskPicture(13, 11) { x, y in (x * 19 + y * 7) % 256 }
    let path = "\(folder.path)/mask.\(type)"
    try PictureFile.write(mask, to: path)
    #expect(try PictureFile.readMask(path) == mask)
  }

  @Test("has the same bytes every time and no date") func deterministic() throws {
    let folder = try TemporaryFolder()
    for name in ["a.png", "b.png"] {
      try PictureFile.write(
        .speckled(31, 17), to: "\(folder.path)/\(name)", metadata: [("parameters", "a cat, Steps: 50")])
    }
    let file = try folder.bytes("a.png")
    #expect(try folder.bytes("b.png") == file)
    #expect(chunks(of: file).map(\.type) == ["IHDR", "tEXt", "IDAT", "IEND"])
  }

  @Test("keeps metadata in order, Latin letters as tEXt, others as iTXt") func metadata() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/picture.png"
    let metadata = [("parameters", "a cat\nSteps: 50"), ("Prompt", "кот, 猫"), ("Empty", "")]
    try PictureFile.write(.speckled(5, 3), to: path, metadata: metadata)
    let texts = chunks(of: try folder.bytes("picture.png")).filter { $0.type.hasSuffix("Xt") }
    #expect(texts.map(\.type) == ["tEXt", "iTXt", "tEXt"])
    // iTXt: key, zero, two bytes for no compression, empty language and empty translated key.
    #expect(texts[0].data == Array("parameters\0a cat\nSteps: 50".utf8))
    #expect(texts[1].data == Array("Prompt\0\0\0\0\0кот, 猫".utf8))
    #expect(texts[2].data == Array("Empty\0".utf8))
    #expect(try PictureFile.read(path) == .speckled(5, 3))
  }

  @Test("refuses metadata that PNG cannot hold", arguments: ["", " key", "key ", "a  b", "ключ", "a\nb"])
  func invalidKey(key: String) throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/picture.png"
    #expect(throws: PictureFileError.invalidMetadata(key: key)) {
      try PictureFile.write(.speckled(5, 3), to: path, metadata: [(key, "value")])
    }
    #expect(throws: PictureFileError.invalidMetadata(key: "key")) {
      try PictureFile.write(.speckled(5, 3), to: path, metadata: [("key", "val\0ue")])
    }
    #expect(try folder.names == [])
  }

  @Test("needs a name that says what to write", arguments: ["p.gif", "p", ".png", "png", "d.png/p", "p.pgm"])
  func unknownExtension(name: String) throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/\(name)"
    #expect(throws: PictureFileError.unknownExtension(path: path)) {
      try PictureFile.write(.speckled(5, 3), to: path)
    }
  }

  @Test("replaces a file, keeping its permissions") func replaces() throws {
    let folder = try TemporaryFolder()
    let path = try folder.file("picture.png", [1, 2, 3])
    try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
    try PictureFile.write(.speckled(5, 3), to: path)
    #expect(try PictureFile.read(path) == .speckled(5, 3))
    let permissions = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    #expect(permissions == 0o640)
  }

  @Test("leaves nothing behind when it cannot be written") func failure() throws {
    let folder = try TemporaryFolder()
    let nowhere = "\(folder.path)/nowhere/picture.png"
    #expect(throws: PictureFileError.folderMissing(path: nowhere)) {
      try PictureFile.write(.speckled(5, 3), to: nowhere)
    }
    let directory = "\(folder.path)/folder.png"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    #expect(throws: PictureFileError.isTaken(path: directory)) {
      try PictureFile.write(.speckled(5, 3), to: directory)
    }
    #expect(try folder.names == ["folder.png"])
  }

  struct Full: Error, Equatable { var after: Int }

  @Test(
    "is an error wherever its bytes cannot be written",
    arguments: [PictureEncoding.png, .pnm, .jpeg(quality: 95)])
  func failingSink(encoding: PictureEncoding) throws {
    // Noise, so that it takes several blocks.
    let picture = Picture(257, 255) { x, y, c in (x * x * 7 + y * y * 13 + x * y * 31 + c * 101) % 256 }
    var blocks = 0
    try PictureEncoder(encoding).encode(picture) { _ in blocks += 1 }
    #expect(blocks > 1)
    for good in 0..<blocks {
      var count = 0
      #expect(throws: Full(after: good)) {
        try PictureEncoder(encoding).encode(picture) { _ in
          if count == good { throw Full(after: good) }
          count += 1
        }
      }
    }
  }

  @Test("is not written when its source fails, and what stood there stays") func failingSource() throws {
    let folder = try TemporaryFolder()
    let good = try folder.file(
      "good.png", PNGTests.build(.init(color: .rgb, depth: 8, isInterlaced: false), 13, 11).bytes)
    let path = try folder.file("cut.png", try folder.bytes("good.png").dropLast(20))
    #expect(throws: PictureFileError.self) { try PictureFile.write(OpenPicture(path), to: good) }
    #expect(try PictureFile.read(good).width == 13)
    #expect(try folder.names == ["cut.png", "good.png"])
  }
}
