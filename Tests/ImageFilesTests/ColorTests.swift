import Foundation
import ImageFiles
import Pictures
import Tensors
import TestSupport
import Testing

@Suite("Colours of a file") struct ColorTests {
  /// ImageMagick with Little CMS has made the other file of each; `Tools/fixtures/make_profiles.py`.
  @Test(
    "are sRGB as Little CMS has it",
    arguments: [
      ("profile-p3.png", "Display P3"), ("profile-adobe.jpg", "Adobe RGB (1998)"),
      ("profile-grey.png", "Grey 1.8"),
    ])
  func littleCMS(file: String, name: String) throws {
    let open = try OpenPicture(JPEGTests.path(file))
    #expect(open.facts.colors == .converted(name))
    let truth = try PictureFile.read(JPEGTests.path(file.prefix { $0 != "." } + "-srgb.png"))
    // Its sRGB has a curve of 16-bit steps; both round to 8.
    #expect(try Picture(reading: open).largestDifference(truth) <= 1)
  }

  @Test("come back through sRGB where sRGB has them, with the profile, in a PNG and a JPEG")
  func andBack() throws {
    let folder = try TemporaryFolder()
    for file in ["profile-p3.png", "profile-adobe.jpg"] {
      let open = try OpenPicture(JPEGTests.path(file))
      let seen = try Picture(reading: open)
      let result = FinishedPhoto(seen, of: open)
      for name in ["result.png", "result.jpg"] {
        let path = "\(folder.path)/\(name)"
        try PictureFile.write(result, to: path, quality: 100)
        let again = try OpenPicture(path)
        #expect(again.facts.colors == open.facts.colors && again.color.profile == open.color.profile)
        // Where sRGB is steep, near black, half a level of a bright channel is several levels of a dark one, and JPEG
        // adds one or two.
        let pixels = try Picture(reading: again)
        let error = zip(pixels.pixels, seen.pixels).reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) }
        #expect(pixels.largestDifference(seen) <= 40 && error < 2 * seen.pixels.count)
      }
    }
  }

  @Test("of tables go with samples that are taken as they are") func carried() throws {
    let open = try OpenPicture(JPEGTests.path("profile-table.png"))
    #expect(open.facts.colors == .carried("Tables") && open.color.space == nil)
    let folder = try TemporaryFolder()
    try PictureFile.write(open, to: "\(folder.path)/copy.png")
    let copy = try OpenPicture("\(folder.path)/copy.png")
    #expect(copy.color == open.color)
    #expect(try Picture(reading: copy) == Picture(reading: open))
  }

  static let kind = PNGTests.Kind(color: .rgb, depth: 8, isInterlaced: false)

  static func open(_ chunks: [(String, [UInt8])], _ folder: TemporaryFolder) throws -> OpenPicture {
    var png = PNGTests.build(kind, 13, 11)
    png.ancillary = chunks
    return try OpenPicture(folder.file("picture.png", png.bytes))
  }

  @Test("are those of gamma and chromaticities, unless these are sRGB's or sRGB is said")
  func chunks() throws {
    let folder = try TemporaryFolder()
    let standard =
      bigEndian(31_270) + bigEndian(32_900) + bigEndian(64_000) + bigEndian(33_000)
      + bigEndian(30_000) + bigEndian(60_000) + bigEndian(15_000) + bigEndian(6_000)
    let p3 =
      bigEndian(31_270) + bigEndian(32_900) + bigEndian(68_000) + bigEndian(32_000)
      + bigEndian(26_500) + bigEndian(69_000) + bigEndian(15_000) + bigEndian(6_000)
    let plain = PNGTests.expected(Self.kind, 13, 11)
    for chunks in [
      [("gAMA", bigEndian(45_455))], [("gAMA", bigEndian(45_455)), ("cHRM", standard)],
      [("sRGB", [0]), ("gAMA", bigEndian(100_000)), ("cHRM", p3)], [("cICP", [1, 13, 0, 1]), ("cHRM", p3)],
    ] as [[(String, [UInt8])]] {
      let open = try Self.open(chunks, folder)
      #expect(open.facts.colors == .standard)
      #expect(try Picture(reading: open) == plain)
    }
    // Linear light: sRGB's own formula (IEC 61966-2-1).
    let linear = try Picture(reading: Self.open([("gAMA", bigEndian(100_000))], folder))
    let truth = Picture(13, 11) { x, y, c in
      let light = Double(plain.pixels[(y * 13 + x) * 3 + c]) / 255
      let level = light <= 0.0031308 ? 12.92 * light : 1.055 * exp(log(light) / 2.4) - 0.055
      return Int((255 * level).rounded())
    }
    #expect(linear.largestDifference(truth) <= 1)
    // Two ways to say Display P3.
    let said = try Self.open([("cICP", [12, 13, 0, 1])], folder)
    let pixels = try Picture(reading: said)
    #expect(said.facts.colors == .converted("Display P3"))
    let shown = try Picture(reading: Self.open([("cHRM", p3)], folder))
    #expect(shown.largestDifference(pixels) <= 1)
    let open = try Self.open([("cHRM", p3)], folder)
    try PictureFile.write(open, to: "\(folder.path)/copy.png")
    #expect(try Picture(reading: OpenPicture("\(folder.path)/copy.png")).largestDifference(shown) <= 1)
  }

  @Test("of a damaged profile harm nothing") func damaged() throws {
    let folder = try TemporaryFolder()
    let good = try JPEGTests.bytes("profile-adobe.jpg")
    let pixels = try PictureFile.read(JPEGTests.path("profile-adobe.jpg"), alpha: .drop)
    // Every byte of the profile's header and table, and of its data.
    for at in 20..<620 {
      var bytes = good
      bytes[at] ^= 0xFF
      guard let open = try? OpenPicture(folder.file("changed.jpg", bytes)) else { continue }
      _ = try? Picture(reading: open)
    }
    // One of two parts is missing.
    let cut = good[..<2] + good[(2 + 2 + 216)...]
    let open = try OpenPicture(folder.file("cut.jpg", cut))
    #expect(open.facts.colors == .standard && open.extent == pixels.extent)
  }
}
