import Pictures
import Tensors
import TestSupport
import Testing

@Suite("Mask picture") struct MaskPictureTests {
  @Test("is binary from 128 on") func threshold() {
    let mask = MaskPicture(4, 1) { x, _ in [0, 127, 128, 255][x] }
    #expect(mask.binary.values == [0, 0, 1, 1])
    #expect(mask.soft.binarized().values == [0, 0, 1, 1])
    #expect(MaskPicture(mask.soft) == mask)
  }

  @Test("picks floor(i·source/target) as nearest", arguments: [(13, 11), (7, 5), (1, 1), (31, 64)])
  func nearest(target: (Int, Int)) {
    let mask = MaskPicture(13, 11) { x, y in x * 16 + y }
    let expected = MaskPicture(target.0, target.1) { x, y in x * 13 / target.0 * 16 + y * 11 / target.1 }
    #expect(mask.nearest(height: target.1, width: target.0) == expected)
    #expect(mask.soft.nearest(height: target.1, width: target.0) == expected.soft)
  }

  @Test("averages areas exactly at sizes that do not divide") func areaAverage() {
    let line = MaskPicture(3, 1) { x, _ in [255, 0, 255][x] }
    // Each half covers one and a half pixels: (1 + ½·0)/1.5 and its mirror image.
    #expect(line.areaAverage(height: 1, width: 2).values == [Float(2.0 / 3), Float(2.0 / 3)])
    #expect(line.areaAverage(height: 2, width: 6).values == [1, 1, 0, 0, 1, 1, 1, 1, 0, 0, 1, 1])
    #expect(line.areaAverage(height: 1, width: 1).values == [Float(2.0 / 3)])
  }

  @Test("keeps its mean under area averages", arguments: [(5, 3), (12, 17), (29, 31)])
  func mean(target: (Int, Int)) {
    let mask = MaskPicture(23, 19) { x, y in (x * 37 + y * 101) % 256 }
    let before = mask.pixels.reduce(0.0) { $0 + Double($1) / 255 } / (23 * 19)
    for average in [
      mask.areaAverage(height: target.1, width: target.0),
      mask.soft.areaAverage(height: target.1, width: target.0),
    ] {
      let after = average.values.reduce(0.0) { $0 + Double($1) } / Double(average.values.count)
      #expect(abs(after - before) < 0x1p-23)  // a rounding to Float per element
    }
  }
}

@Suite("Paste back") struct PasteBackTests {
  @Test("is bit for bit the original where the mask is 0 and the edit where it is 1") func exact() {
    let original = Picture.speckled(31, 17)
    let edited = Picture(31, 17) { x, y, c in (x * 7 + y * 3 + c) % 256 }
    let mask = MaskPicture(31, 17) { x, y in (x + y) % 3 == 0 ? 255 : 0 }
    var pasted = edited
    pasted.pasteBack(original, outside: mask.soft)
    for pixel in mask.pixels.indices {
      for i in 3 * pixel..<3 * pixel + 3 {
        #expect(pasted.pixels[i] == (mask.pixels[pixel] == 0 ? original : edited).pixels[i])
      }
    }
  }

  @Test("rounds the mixture between") func mixture() {
    var pasted = Picture(3, 1) { _, _, _ in 255 }
    pasted.pasteBack(
      Picture(3, 1) { _, _, _ in 0 }, outside: Mask(height: 1, width: 3, values: [0.25, 0.5, 0.75]))
    #expect(pasted.pixels == [64, 64, 64, 128, 128, 128, 191, 191, 191])  // 63.75, 127.5, 191.25
  }

  @Test("leaves every pixel of an equal edit alone, however soft the mask") func noEdit() {
    let picture = Picture.speckled(31, 17)
    let mask = MaskPicture(31, 17) { x, y in (x * 19 + y * 7) % 256 }.soft
    var pasted = picture
    pasted.pasteBack(picture, outside: mask)
    #expect(pasted == picture)
  }
}

@Suite("Feathered mask") struct FeatherTests {
  let square = MaskPicture(61, 47) { x, y in (20..<41).contains(x) && (15..<32).contains(y) ? 255 : 0 }.soft

  @Test("changes nothing farther from an edge than the radius", arguments: [0, 1, 2, 3, 5, 8, 15])
  func support(radius: Int) {
    let soft = square.feathered(radius: radius)
    for y in 0..<47 {
      for x in 0..<61 {
        let around = (max(0, y - radius)...min(46, y + radius)).flatMap { v in
          (max(0, x - radius)...min(60, x + radius)).map { square.values[v * 61 + $0] }
        }
        if Set(around).count == 1 { #expect(soft.values[y * 61 + x] == square.values[y * 61 + x]) }
      }
    }
    if radius == 0 { #expect(soft == square) }
  }

  @Test("rises steadily across an edge, one half in the middle") func profile() {
    let soft = MaskPicture(41, 3) { x, _ in x < 20 ? 0 : 255 }.soft.feathered(radius: 9)
    let row = Array(soft.values[41..<82])
    #expect(zip(row, row.dropFirst()).allSatisfy { $0 <= $1 })
    #expect(row[10] == 0 && row[11] > 0 && row[28] < 1 && row[29] == 1)
    // Symmetric: the two pixels beside the edge add up to one, but for roundings of 2⁻⁴⁰ and to Float.
    for i in 0..<20 { #expect(abs(row[19 - i] + row[20 + i] - 1) < 0x1p-22) }
  }

  @Test("keeps uniform masks, of any value, as they are", arguments: [0, 1, 100, 255])
  func uniform(value: Int) {
    let mask = MaskPicture(13, 1) { _, _ in value }.soft
    #expect(mask.feathered(radius: 40) == mask)
  }
}

@Suite("Edge of an edit") struct EditCoverageTests {
  /// - Returns: level by level, as an edit of white over black shows it.
  func levels(_ mask: MaskPicture, _ feather: Feathering) throws -> [UInt8] {
    let extent = Extent(width: mask.width, height: mask.height)
    let geometry = Geometry(
      picture: extent, working: try WorkingSize(filling: extent, with: Extent(width: 64, height: 64)))
    let (black, white) = (
      Picture(mask.width, mask.height) { _, _, _ in 0 }, Picture(mask.width, mask.height) { _, _, _ in 255 }
    )
    let result = FinishedPhoto(
      white, of: PlainPhoto(black), within: EditCoverage(PictureMask(mask, over: geometry), feather))
    let pixels = try Picture(reading: result).pixels
    return stride(from: 0, to: pixels.count, by: 3).map { pixels[$0] }
  }

  @Test("that is soft to the inside touches nothing outside, and all that is a radius within is the edit")
  func inward() throws {
    let mask = MaskPicture(61, 47) { x, y in (20..<50).contains(x) && y < 30 ? 255 : 0 }
    let levels = try levels(mask, .inward(8))
    for y in 0..<47 {
      for x in 0..<61 {
        let level = levels[61 * y + x]
        if mask.pixels[61 * y + x] == 0 { #expect(level == 0) }
        // The upper edge is the picture's.
        if (28..<42).contains(x), y < 22 { #expect(level == 255) }
      }
    }
    // No step: the largest difference of neighbours stays far from that of a hard edge.
    #expect(zip(levels, levels.dropFirst()).map { abs(Int($0) - Int($1)) }.max()! < 90)
  }

  @Test("that a method found rises over the width of a cell, and in no step of one") func found() throws {
    let extent = Extent(width: 128, height: 96)
    let geometry = Geometry(picture: extent, working: .same(extent))
    var latent = Mask(height: geometry.latentHeight, width: geometry.latentWidth, repeating: 0)
    for y in 3..<9 { for x in 4..<12 where x + y > 9 { latent[y, x] = 1 } }
    let (black, white) = (
      Picture(extent.width, extent.height) { _, _, _ in 0 },
      Picture(extent.width, extent.height) { _, _, _ in 255 }
    )
    let coverage = EditCoverage(PictureMask(found: latent, over: geometry), .none)
    let pixels = try Picture(reading: FinishedPhoto(white, of: PlainPhoto(black), within: coverage)).pixels
    func level(_ x: Int, _ y: Int) -> Int { Int(pixels[3 * (y * extent.width + x)]) }
    #expect(level(80, 44) == 255 && level(8, 44) == 0)
    // From the middle of a cell to that of the next in eight even steps, and a rounding.
    let most = 255 / geometry.pixelsPerLatent + 2
    for y in 1..<extent.height {
      for x in 1..<extent.width {
        #expect(abs(level(x, y) - level(x - 1, y)) <= most && abs(level(x, y) - level(x, y - 1)) <= most)
      }
    }
  }

  @Test("of a grey mask stays grey") func grey() throws {
    #expect(try levels(MaskPicture(31, 29) { _, _ in 128 }, .inward(8)).allSatisfy { $0 == 128 })
  }
}

@Suite("Window of a picture") struct WindowTests {
  @Test("has the model's size around a small region, at the picture's own resolution") func small() throws {
    let photo = Extent(width: 4000, height: 3000)
    let region = Window(x: 1000, y: 50, extent: Extent(width: 200, height: 100))
    let window = try #require(Window(around: region, of: photo, side: 512))
    #expect(window == Window(x: 844, y: 0, extent: Extent(width: 512, height: 512)))
  }

  @Test("grows with its region, and is all of a picture that it nearly fills") func large() throws {
    let photo = Extent(width: 4000, height: 3000)
    let region = Window(x: 1000, y: 1000, extent: Extent(width: 1600, height: 100))
    let window = try #require(Window(around: region, of: photo, side: 512))
    #expect(window.extent == Extent(width: 2400, height: 1200) && window.union(region) == window)
    #expect(
      Window(around: Window(x: 0, y: 0, extent: Extent(width: 3000, height: 2500)), of: photo, side: 512)
        == nil)
    #expect(Window(around: region, of: Extent(width: 600, height: 600), side: 512) == nil)
  }

  @Test("holds all that a mask of another size lets change") func ofMask() throws {
    let mask = MaskPicture(10, 10) { x, y in (3..<6).contains(x) && y == 9 ? 1 : 0 }
    #expect(
      try Window(of: mask, over: Extent(width: 101, height: 203))
        == Window(x: 30, y: 182, extent: Extent(width: 31, height: 21)))
    #expect(try Window(of: MaskPicture(4, 4) { _, _ in 0 }, over: Extent(width: 9, height: 9)) == nil)
  }

  @Test("of a picture and a mask has their rows, and a finished photo keeps all others") func rows() throws {
    let window = Window(x: 3, y: 2, extent: Extent(width: 7, height: 5))
    let photo = Picture.speckled(13, 11)
    let part = try Picture(reading: WindowedPicture(photo, window))
    let edited = Picture(7, 5) { _, _, _ in 9 }
    let result = try Picture(reading: FinishedPhoto(edited, of: PlainPhoto(photo), at: window))
    for y in 0..<11 {
      for x in 0..<13 {
        for c in 0..<3 {
          let (old, new) = (photo.pixels[3 * (13 * y + x) + c], result.pixels[3 * (13 * y + x) + c])
          if window.contains(x: x, y: y) {
            #expect(part.pixels[3 * (7 * (y - 2) + x - 3) + c] == old && new == 9)
          } else {
            #expect(new == old)
          }
        }
      }
    }
    let mask = MaskPicture(7, 5) { x, y in x * y }
    let placed = try MaskPicture(reading: PlacedMask(mask, at: window, of: Extent(width: 13, height: 11)))
    #expect(placed.pixels.map { Int($0) }.reduce(0, +) == mask.pixels.map { Int($0) }.reduce(0, +))
    #expect(try MaskPicture(reading: WindowedMask(placed, window)) == mask)
  }
}
