import ImageFiles
import Tensors
import TestSupport
import Testing

@Suite("PNG file") struct PNGTests {
  struct Kind: CustomStringConvertible, Sendable {
    var color: PNGBuilder.Color
    var depth: Int
    var isInterlaced: Bool
    var description: String { "\(color) \(depth) bit\(isInterlaced ? " interlaced" : "")" }

    static let all = PNGBuilder.Color.allCases.flatMap { color in
      color.depths.flatMap { depth in
        [false, true].map { Kind(color: color, depth: depth, isInterlaced: $0) }
      }
    }
    static let withAlpha = all.filter { $0.color == .greyAlpha || $0.color == .rgba }
    static let withoutAlpha = all.filter { $0.color.rawValue < 4 }
  }

  /// Below, at and above Adam7's tile of 8, all but two of them prime.
  static let sizes = [(1, 1), (2, 7), (8, 8), (13, 11), (257, 3)]

  static func color(_ index: Int) -> [Int] { [index * 37 % 256, (index * 91 + 5) % 256, 255 - index] }

  static func stored(_ x: Int, _ y: Int, _ c: Int, _ depth: Int) -> Int {
    (x * 5003 + y * 2029 + c * 30_011 + 1) % (1 << depth)
  }

  static func build(_ kind: Kind, _ width: Int, _ height: Int) -> PNGBuilder {
    var png = PNGBuilder(
      width: width, height: height, color: kind.color, depth: kind.depth, isInterlaced: kind.isInterlaced
    ) { x, y, c in stored(x, y, c, kind.depth) }
    if kind.color == .palette {
      png.ancillary = [("PLTE", (0..<1 << kind.depth).flatMap { color($0).map(UInt8.init) })]
    }
    return png
  }

  /// The 8-bit level of a stored sample, rounded.
  static func level(_ value: Int, _ depth: Int) -> Int {
    let top = 1 << depth - 1
    return (value * 255 + top / 2) / top
  }

  static func expected(_ kind: Kind, _ width: Int, _ height: Int) -> Picture {
    Picture(width, height) { x, y, c in
      if kind.color == .palette { return color(stored(x, y, 0, kind.depth))[c] }
      return level(stored(x, y, kind.color.channels < 3 ? 0 : c, kind.depth), kind.depth)
    }
  }

  @Test("is read whatever its colour type, depth and interlace", arguments: Kind.all, sizes)
  func everyKind(kind: Kind, size: (Int, Int)) throws {
    let folder = try TemporaryFolder()
    let path = try folder.file("picture", Self.build(kind, size.0, size.1).bytes)
    #expect(try PictureFile.read(path, alpha: .drop) == Self.expected(kind, size.0, size.1))
  }

  @Test("drops alpha, or lays the picture over white", arguments: Kind.withAlpha)
  func alpha(kind: Kind) throws {
    let folder = try TemporaryFolder()
    let path = try folder.file("picture.png", Self.build(kind, 13, 11).bytes)
    let opaque = Self.expected(kind, 13, 11)
    let top = 1 << kind.depth - 1
    let onWhite = Picture(13, 11) { x, y, c in
      let alpha = Self.stored(x, y, kind.color.channels - 1, kind.depth)
      let color = Self.stored(x, y, kind.color.channels < 3 ? 0 : c, kind.depth)
      return Self.level((color * alpha + top * (top - alpha) + top / 2) / top, kind.depth)
    }
    #expect(try PictureFile.read(path, alpha: .drop) == opaque)
    #expect(try PictureFile.read(path, alpha: .onWhite) == onWhite)
  }

  @Test("takes the transparent colour of tRNS for alpha", arguments: Kind.withoutAlpha)
  func transparentColor(kind: Kind) throws {
    let folder = try TemporaryFolder()
    var png = Self.build(kind, 13, 11)
    // The pixel at (0, 0) is transparent; in the palette, entry 1 is.
    let key = (0..<kind.color.channels).map { Self.stored(0, 0, $0, kind.depth) }
    let chunk: [UInt8] =
      kind.color == .palette ? [255, 0] : key.flatMap { bigEndian($0).suffix(2) }
    png.ancillary.append(("tRNS", chunk))
    let path = try folder.file("picture.png", png.bytes)
    let opaque = Self.expected(kind, 13, 11)
    let onWhite = Picture(13, 11) { x, y, c in
      let here = (0..<kind.color.channels).map { Self.stored(x, y, $0, kind.depth) }
      return here == key ? 255 : Int(opaque.pixels[(y * 13 + x) * 3 + c])
    }
    #expect(try PictureFile.read(path, alpha: .drop) == opaque)
    #expect(try PictureFile.read(path, alpha: .onWhite) == onWhite)
  }

  @Test("ignores unknown chunks") func ignoredChunks() throws {
    let folder = try TemporaryFolder()
    let kind = Kind(color: .rgb, depth: 8, isInterlaced: false)
    var png = Self.build(kind, 7, 5)
    png.ancillary = [("teSt", [1, 2, 3])]
    let path = try folder.file("picture.png", png.bytes)
    #expect(try PictureFile.read(path) == Self.expected(kind, 7, 5))
  }

  @Test("gives a mask its grey as it is, and of colours the largest channel") func mask() throws {
    let folder = try TemporaryFolder()
    let grey = Kind(color: .grey, depth: 8, isInterlaced: true)
    let greyFile = try folder.file("grey.png", Self.build(grey, 13, 11).bytes)
    #expect(
      try PictureFile.readMask(greyFile) == MaskPicture(13, 11) { x, y in Self.stored(x, y, 0, 8) })

    // A shape in any of the primaries is all there.
    let colors = (0..<256).map { [$0, $0, $0] } + [[255, 0, 0], [0, 255, 0], [0, 0, 255]]
    let colorFile = "\(folder.path)/color.png"
    try PictureFile.write(Picture(259, 1) { x, _, c in colors[x][c] }, to: colorFile)
    #expect(try PictureFile.readMask(colorFile).pixels == (0...255).map { UInt8($0) } + [255, 255, 255])
  }
}
