import Foundation
import ImageFiles
import Tensors
import TestSupport
import Testing

@Suite("Picture in a file that stays open") struct SourceTests {
  static let kind = PNGTests.Kind(color: .rgb, depth: 8, isInterlaced: false)
  static let files: [(String, [UInt8])] = [
    ("picture.png", PNGTests.build(kind, 61, 47).bytes),
    ("interlaced.png", PNGTests.build(.init(color: .rgb, depth: 8, isInterlaced: true), 61, 47).bytes),
    ("picture.ppm", Array("P6 61 47 255\n".utf8) + Picture.speckled(61, 47).pixels),
    ("picture.jpg", try! JPEGTests.bytes("baseline-420.jpg")),
  ]

  @Test("is read twice alike, whatever becomes of its name", arguments: files)
  func renamed(name: String, bytes: [UInt8]) throws {
    let folder = try TemporaryFolder()
    let path = try folder.file(name, bytes)
    let open = try OpenPicture(path)
    let first = try Picture(reading: open)
    try FileManager.default.removeItem(atPath: path)
    _ = try folder.file(name, PNGTests.build(Self.kind, 7, 5).bytes)
    #expect(try Picture(reading: open) == first)
  }

  /// Other bytes in the same file, as a program that saves in place leaves them.
  func overwrite(_ path: String, _ bytes: [UInt8]) throws {
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    try file.truncate(atOffset: 0)
    try file.write(contentsOf: Data(bytes))
    try file.close()
  }

  @Test("that has other pixels in the second pass says so", arguments: files)
  func changed(name: String, bytes: [UInt8]) throws {
    let folder = try TemporaryFolder()
    let path = try folder.file(name, bytes)
    var other = bytes
    switch name {
    case "picture.jpg": other = try JPEGTests.bytes("baseline-444.jpg")
    case "picture.ppm": other[other.count / 2] ^= 1
    default:
      let png = PNGTests.build(.init(color: .rgb, depth: 8, isInterlaced: name == "interlaced.png"), 61, 47)
      var changed = png
      changed.sample = { x, y, c in png.sample(x, y, c) ^ (x == 60 && y == 23 && c == 2 ? 1 : 0) }
      other = changed.bytes
    }
    let small = PNGTests.build(Self.kind, 7, 5).bytes
    for other in [other, Array(bytes[..<(bytes.count / 2)]), small, []] {
      try overwrite(path, bytes)
      let open = try OpenPicture(path)
      let first = try Picture(reading: open)
      try overwrite(path, other)
      #expect(throws: PictureFileError.changed(path: path)) { try Picture(reading: open) }
      #expect(throws: PictureFileError.changed(path: path)) {
        try PictureFile.write(open, to: "\(folder.path)/out.png")
      }
      try overwrite(path, bytes)
      #expect(try Picture(reading: open) == first)
    }
    #expect(try folder.names == [name])
  }

  @Test("that ends too early is damaged in the first pass, with its last row at the latest")
  func cutOff() throws {
    let bytes = PNGTests.build(Self.kind, 61, 47).bytes
    let folder = try TemporaryFolder()
    let path = try folder.file("cut.png", bytes.dropLast(4))
    let pass = try OpenPicture(path).pass()
    var row = [UInt8](repeating: 0, count: 3 * 61)
    var rows = 0
    #expect(throws: PictureFileError.self) {
      while true {
        try row.withUnsafeMutableBufferPointer { try pass.next(into: $0) }
        rows += 1
      }
    }
    #expect(rows == 46)
  }

  @Test("whose chunks claim gigabytes is read without them, or refused") func hugeChunks() throws {
    let folder = try TemporaryFolder()
    let bytes = PNGTests.build(Self.kind, 13, 11).bytes
    for type in ["tEXt", "zTXt", "iTXt", "iCCP", "eXIf", "sPLT", "quRk"] {
      var hostile = bytes
      hostile.insert(contentsOf: bigEndian(Int(Int32.max)) + Array(type.utf8) + [65, 0, 0, 0], at: 33)
      let path = try folder.file("\(type).png", hostile)
      do {
        _ = try OpenPicture(path)
        Issue.record("\(type) is read")
      } catch PictureFileError.damaged {
      }
      // A whole one is passed over.
      var good = bytes
      good.insert(contentsOf: PNGBuilder.chunk(type, [UInt8](repeating: 65, count: 1 << 20)), at: 33)
      #expect(try PictureFile.read(folder.file("good.png", good)) == PNGTests.expected(Self.kind, 13, 11))
    }
  }

  @Test("states its size and what it drops before anything is decoded") func facts() throws {
    let folder = try TemporaryFolder()
    var png = PNGTests.build(.init(color: .rgba, depth: 16, isInterlaced: false), 13, 11)
    png.ancillary = [("gAMA", bigEndian(100_000))]
    let open = try OpenPicture(folder.file("picture.png", png.bytes))
    #expect(
      open.facts.bits == 16 && open.facts.hasAlpha && open.facts.colors == .converted("gamma")
        && !open.facts.isTurned)
    let plain = try OpenPicture(folder.file("plain.png", PNGTests.build(Self.kind, 13, 11).bytes))
    #expect(plain.facts.bits == 8 && !plain.facts.hasAlpha && plain.facts.colors == .standard)
    // Ten thousand pixels a side in a few bytes: rows suffice.
    let large = try OpenPicture(folder.file("large.png", DamagedPictureTests.header(10_000, 10_000)))
    #expect(large.extent == Extent(width: 10_000, height: 10_000) && large.passBytes < 2_000_000)
  }
}

@Suite("Mask in a file") struct MaskFileTests {
  func mask(
    _ color: PNGBuilder.Color, ancillary: [(String, [UInt8])] = [], _ sample: @escaping (Int, Int, Int) -> Int
  )
    throws -> (mask: MaskPicture, isAlpha: Bool)
  {
    var png = PNGBuilder(width: 13, height: 11, color: color, depth: 8, sample: sample)
    png.ancillary = ancillary
    let folder = try TemporaryFolder()
    let path = try folder.file("mask.png", png.bytes)
    let open = try OpenMask(path)
    let mask = try MaskPicture(reading: open)
    #expect(try MaskPicture(reading: open) == mask)
    return (mask, open.comesFromAlpha)
  }

  static func isInside(_ x: Int, _ y: Int) -> Bool { (3..<9).contains(x) && (2..<7).contains(y) }
  static func shape(_ x: Int, _ y: Int) -> Int { isInside(x, y) ? 255 : 0 }
  static let drawn = MaskPicture(13, 11, shape)

  @Test("is its transparency where its colours say nothing", arguments: [0, 77, 255])
  func alpha(level: Int) throws {
    for color in [PNGBuilder.Color.rgba, .greyAlpha] {
      let (mask, isAlpha) = try mask(color) { x, y, c in
        c == color.channels - 1 ? Self.shape(x, y) : level
      }
      #expect(mask == Self.drawn && isAlpha)
    }
  }

  @Test("is its transparency where what cannot be seen has another colour") func unseen() throws {
    // What a canvas writes: transparent black, and one colour where something was painted, with soft edges.
    let (mask, isAlpha) = try mask(.rgba) { x, y, c in
      let alpha = x == 2 && Self.isInside(3, y) ? 100 : Self.shape(x, y)
      return c == 3 ? alpha : alpha > 0 ? 255 : 0
    }
    #expect(isAlpha)
    #expect(mask == MaskPicture(13, 11) { x, y in x == 2 && Self.isInside(3, y) ? 100 : Self.shape(x, y) })
  }

  @Test("is its palette's transparency where the colours are one") func palette() throws {
    let white: [UInt8] = [255, 255, 255]
    let (one, oneIsAlpha) = try mask(.palette, ancillary: [("PLTE", white + white), ("tRNS", [0, 255])]) {
      x, y, _ in
      Self.shape(x, y) / 255
    }
    #expect(one == Self.drawn && oneIsAlpha)
    let (two, twoIsAlpha) = try mask(
      .palette, ancillary: [("PLTE", [9, 9, 9] + white), ("tRNS", [200, 255])]
    ) { x, y, _ in Self.shape(x, y) / 255 }
    #expect(two == MaskPicture(13, 11) { x, y in Self.isInside(x, y) ? 255 : 9 } && !twoIsAlpha)
  }

  @Test("is its colours where they say something, or where alpha does not vary") func colors() throws {
    let (varied, variedIsAlpha) = try mask(.rgba) { x, y, c in c == 3 ? 100 + x : Self.shape(x, y) }
    #expect(varied == Self.drawn && !variedIsAlpha)
    let (opaque, opaqueIsAlpha) = try mask(.rgba) { _, _, _ in 255 }
    #expect(opaque == MaskPicture(13, 11) { _, _ in 255 } && !opaqueIsAlpha)
  }

  @Test("in red, green or blue is all there", arguments: 0..<3) func primaries(channel: Int) throws {
    let (mask, isAlpha) = try mask(.rgb) { x, y, c in c == channel ? Self.shape(x, y) : 0 }
    #expect(mask == Self.drawn && !isAlpha)
  }
}
