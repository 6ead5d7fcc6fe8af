import Pictures
import Tensors
import TestSupport
import Testing

/// The same results as from whole pictures, computed here in the plainest way.
@Suite("Row sources") struct RowSourceTests {
  static let sizes = [(128, 128), (67, 71), (64, 400), (211, 113), (131, 125)]
  static let maskSizes = [(128, 128), (7, 5), (61, 127), (409, 3), (1, 1), (300, 260)]

  func geometry(_ size: (Int, Int), native: Int = 128, multiple: Int = 64) throws -> Geometry {
    let picture = Extent(width: size.0, height: size.1)
    return Geometry(
      picture: picture,
      working: try WorkingSize(picture: picture, nativeSide: native, multiple: multiple))
  }

  func mask(_ size: (Int, Int)) -> MaskPicture {
    MaskPicture(size.0, size.1) { x, y in (x * 37 + y * 101 + x * y) % 256 }
  }

  @Test("make the working picture of the resized one with its edges repeated", arguments: sizes)
  func workingPicture(size: (Int, Int)) throws {
    let geometry = try geometry(size)
    let picture = Picture.speckled(size.0, size.1)
    let content = picture.resized(width: geometry.content.width, height: geometry.content.height)
    let padded = Picture(geometry.padded.width, geometry.padded.height) { x, y, c in
      let (u, v) = (min(x, content.width - 1), min(y, content.height - 1))
      return Int(content.pixels[(v * content.width + u) * 3 + c])
    }
    #expect(try geometry.workingPicture(reading: CountedSource(picture)) == padded)
  }

  @Test("make the latent's mask of the whole one, bit for bit", arguments: sizes, maskSizes)
  func latentMask(size: (Int, Int), maskSize: (Int, Int)) throws {
    let geometry = try geometry(size)
    let mask = mask(maskSize)
    let (height, width) = (geometry.latentHeight, geometry.latentWidth)
    let nearest = extended(
      mask.nearest(height: geometry.content.height, width: geometry.content.width).binary, geometry.padded)
    #expect(
      try geometry.latentMask(reading: mask, .nearest).mask == nearest.nearest(height: height, width: width))
    let content = wholeMeans(
      Mask(height: mask.height, width: mask.width, values: mask.pixels.map(Float.init)), geometry.content)
    let soft = wholeMeans(
      extended(content.map { Float($0 / 255) }, geometry.padded), Extent(width: width, height: height)
    ).map { Float($0) }
    #expect(try geometry.latentMask(reading: mask, .soft).mask == soft)
    #expect(try geometry.latentMask(reading: mask, .majority).mask == soft.binarized())
  }

  @Test("say of a mask what its owner should be told") func facts() throws {
    let geometry = try geometry((128, 96))
    func facts(_ mask: MaskPicture) throws -> MaskFacts {
      try geometry.latentMask(reading: mask, .soft).facts
    }
    let white = try facts(MaskPicture(64, 48) { _, _ in 255 })
    #expect(white.isAllWhite && !white.isAllBlack && !white.isStretched(over: geometry.picture))
    let black = try facts(MaskPicture(33, 25) { _, _ in 0 })
    // Half of 65×49, rounded.
    #expect(black.isAllBlack && !black.isAllWhite && !black.isStretched(over: geometry.picture))
    let square = try facts(MaskPicture(64, 64) { x, _ in x })
    #expect(!square.isAllBlack && !square.isAllWhite && square.isStretched(over: geometry.picture))
    #expect(square.lowest == 0 && square.highest == 63 && !square.comesFromAlpha)
  }

  @Test("read all of a mask, however few of its rows they take", arguments: [MaskRule.nearest, .soft])
  func drained(rule: MaskRule) throws {
    let geometry = try geometry((67, 71))
    let counted = CountedMask(mask((13, 997)))
    _ = try geometry.latentMask(reading: counted, rule)
    #expect(counted.rows.count == 997)
    _ = try MaskPicture(reading: PictureMask(counted, over: geometry))
    #expect(counted.rows.count == 2 * 997)
  }

  @Test("lay a mask over the picture as a whole one is laid", arguments: sizes, maskSizes)
  func pictureMask(size: (Int, Int), maskSize: (Int, Int)) throws {
    let geometry = try geometry(size)
    let mask = mask(maskSize)
    #expect(
      try MaskPicture(reading: PictureMask(mask, over: geometry))
        == mask.nearest(height: size.1, width: size.0))
    let latent = latent(geometry)
    #expect(
      try MaskPicture(reading: PictureMask(found: latent, over: geometry))
        == MaskPicture(wholeFound(latent, geometry)))
  }

  func latent(_ geometry: Geometry) -> Mask {
    var latent = Mask(height: geometry.latentHeight, width: geometry.latentWidth, repeating: 0)
    for i in latent.values.indices { latent.values[i] = Float(i * 7919 % 1000) / 999 }
    return latent
  }

  @Test("soften a mask as whole rows and columns do, bit for bit", arguments: [0, 1, 2, 3, 5, 8, 40, 300])
  func feathered(radius: Int) throws {
    for size in [(61, 47), (1, 31), (31, 1), (5, 7)] {
      let shapes = [
        mask(size).soft, MaskPicture(size.0, size.1) { x, y in x > 2 && y > 3 ? 255 : 0 }.soft,
        MaskPicture(size.0, size.1) { _, y in y % 5 * 60 }.soft,
      ]
      for shape in shapes { #expect(shape.feathered(radius: radius) == wholeFeathered(shape, radius)) }
    }
  }

  @Test("paste back what whole pictures paste back", arguments: sizes, [0, 1, 5])
  func pasted(size: (Int, Int), feather: Int) throws {
    let geometry = try geometry(size)
    let original = Picture.speckled(size.0, size.1)
    let working = Picture(geometry.padded.width, geometry.padded.height) { x, y, c in
      (x * 7 + y * 3 + c) % 256
    }
    let edited = geometry.restore(working)
    let drawn = mask((61, 127))
    for (mask, whole) in [
      (PictureMask(drawn, over: geometry), drawn.nearest(height: size.1, width: size.0).soft),
      (PictureMask(found: latent(geometry), over: geometry), wholeFound(latent(geometry), geometry)),
    ] {
      var expected = edited
      let soft = wholeFeathered(whole, feather)
      for i in expected.pixels.indices {
        let (m, new, old) = (soft.values[i / 3], Float(edited.pixels[i]), Float(original.pixels[i]))
        expected.pixels[i] =
          m == 1 ? edited.pixels[i] : m == 0 ? original.pixels[i] : UInt8((old + m * (new - old)).rounded())
      }
      let pasted = FinishedPhoto(
        RestoredPicture(working, geometry), of: PlainPhoto(CountedSource(original)),
        within: EditCoverage(mask, .both(feather)))
      #expect(try Picture(reading: pasted) == expected)
      var whole = edited
      whole.pasteBack(original, outside: soft)
      #expect(whole == expected)
    }
  }

  @Test("fail with the error of what they are made of") func failure() throws {
    let geometry = try geometry((67, 71))
    let broken = CountedSource(.speckled(67, 71), failsAt: 70)
    #expect(throws: Broken()) { try geometry.workingPicture(reading: broken) }
    let working = Picture(geometry.padded.width, geometry.padded.height) { _, _, _ in 9 }
    #expect(throws: Broken()) {
      let mask = PictureMask(found: self.latent(geometry), over: geometry)
      _ = try Picture(
        reading: FinishedPhoto(
          RestoredPicture(working, geometry), of: PlainPhoto(broken), within: EditCoverage(mask, .none)))
    }
    #expect(throws: Broken()) {
      _ = try geometry.latentMask(reading: CountedMask(self.mask((7, 300)), failsAt: 299), .nearest)
    }
  }

  @Test("count twelve megapixels in hundreds of kilobytes") func estimates() throws {
    let geometry = try geometry((4000, 3000), native: 512)
    let mask = Extent(width: 4000, height: 3000)
    #expect(geometry.workingPictureBytes < 400_000)
    #expect(geometry.latentMaskBytes(of: mask, .soft) < 400_000)
    #expect(RestoredPicture.passBytes(geometry) < 500_000)
    let drawn = PictureMask(CountedMask(MaskPicture(1, 1) { _, _ in 255 }), over: geometry)
    let photo = PlainPhoto(CountedSource(.speckled(4000, 3000)))
    #expect(FinishedPhoto.bytes(photo, mask: EditCoverage(drawn, .none)) < 100_000)
    // Three rings of 64-bit integers, 8 rows each.
    #expect(FinishedPhoto.bytes(photo, mask: EditCoverage(drawn, .both(9))) < 4000 * 8 * 40)
  }
}

/// Values at the centres of cells, straight lines between them.
private func wholeFound(_ latent: Mask, _ geometry: Geometry) -> Mask {
  var mask = Mask(height: geometry.picture.height, width: geometry.picture.width, repeating: 0)
  func place(_ pixel: Int, _ content: Int, _ picture: Int, _ cells: Int) -> (Int, Float) {
    let place = (Float(pixel) + 0.5) * Float(content) / Float(picture) / Float(geometry.pixelsPerLatent) - 0.5
    let cell = min(max(Int(place.rounded(.down)), 0), max(cells - 2, 0))
    return (cell, cells == 1 ? 0 : min(max(place - Float(cell), 0), 1))
  }
  for y in 0..<mask.height {
    let (i, down) = place(y, geometry.content.height, mask.height, latent.height)
    for x in 0..<mask.width {
      let (j, across) = place(x, geometry.content.width, mask.width, latent.width)
      let (below, right) = (min(i + 1, latent.height - 1), min(j + 1, latent.width - 1))
      let a = latent[i, j] + down * (latent[below, j] - latent[i, j])
      let b = latent[i, right] + down * (latent[below, right] - latent[i, right])
      mask[y, x] = a + across * (b - a)
    }
  }
  return mask
}

/// A drawn mask, with its edges repeated.
private func extended(_ mask: Mask, _ extent: Extent) -> Mask {
  var out = Mask(height: extent.height, width: extent.width, repeating: 0)
  for y in 0..<extent.height {
    for x in 0..<extent.width { out[y, x] = mask[min(y, mask.height - 1), min(x, mask.width - 1)] }
  }
  return out
}

private struct Means {
  var extent: Extent
  var values: [Double]
  func map(_ transform: (Double) -> Float) -> Mask {
    Mask(height: extent.height, width: extent.width, values: values.map(transform))
  }
}

/// Means over areas: for each target cell the sum over the rows under it of the sums over the columns under it.
private func wholeMeans(_ mask: Mask, _ target: Extent) -> Means {
  func overlaps(_ i: Int, _ source: Int, _ target: Int) -> [(Int, Double)] {
    let (start, end) = (i * source, (i + 1) * source)
    return (start / target...(end - 1) / target).map { (j: Int) -> (Int, Double) in
      let shared = min(end, (j + 1) * target) - max(start, j * target)
      return (j, Double(shared))
    }
  }
  var values = [Double](repeating: 0, count: target.width * target.height)
  for y in 0..<target.height {
    for (row, high) in overlaps(y, mask.height, target.height) {
      for x in 0..<target.width {
        var sum = 0.0
        for (column, wide) in overlaps(x, mask.width, target.width) {
          sum += wide * Double(mask[row, column])
        }
        values[y * target.width + x] += high * sum
      }
    }
  }
  return Means(extent: target, values: values.map { $0 / Double(mask.height * mask.width) })
}

/// Three box blurs along every row, then along every column, of integers in units of 2⁻⁴⁰.
private func wholeFeathered(_ mask: Mask, _ radius: Int) -> Mask {
  let reaches = [radius / 3, (radius + 1) / 3, (radius + 2) / 3].filter { $0 > 0 }
  var mask = mask
  func blur(_ places: [Int]) {
    var line = places.map { Int(mask.values[$0] * 0x1p40) }
    for reach in reaches {
      line = line.indices.map { i in
        let sum = (i - reach...i + reach).reduce(0) { $0 + line[min(max($1, 0), line.count - 1)] }
        return (sum + reach) / (2 * reach + 1)
      }
    }
    for (place, value) in zip(places, line) { mask.values[place] = Float(value) * 0x1p-40 }
  }
  for y in 0..<mask.height { blur((0..<mask.width).map { y * mask.width + $0 }) }
  for x in 0..<mask.width { blur((0..<mask.height).map { $0 * mask.width + x }) }
  return mask
}

private struct Broken: Error, Equatable {}

private final class Rows: @unchecked Sendable {  // one test, one thread
  var count = 0
}

/// A picture that is handed out row by row and may break.
private struct CountedSource: PictureSource {
  let picture: Picture
  var failsAt = Int.max
  let rows = Rows()

  init(_ picture: Picture, failsAt: Int = .max) { (self.picture, self.failsAt) = (picture, failsAt) }
  var extent: Extent { Extent(picture) }
  var passBytes: Int { 0 }
  func pass() throws -> any RowPass {
    CountedPass(picture.pass(), rows, failsAt: rows.count + min(failsAt, 1 << 30))
  }
}

private struct CountedMask: MaskSource {
  let mask: MaskPicture
  var failsAt = Int.max
  let rows = Rows()

  init(_ mask: MaskPicture, failsAt: Int = .max) { (self.mask, self.failsAt) = (mask, failsAt) }
  var extent: Extent { mask.extent }
  var passBytes: Int { 0 }
  func pass() throws -> any RowPass {
    CountedPass(mask.pass(), rows, failsAt: rows.count + min(failsAt, 1 << 30))
  }
}

private final class CountedPass: RowPass {
  let rows: any RowPass
  let counter: Rows
  let failsAt: Int

  init(_ rows: any RowPass, _ counter: Rows, failsAt: Int) {
    (self.rows, self.counter, self.failsAt) = (rows, counter, failsAt)
  }

  func next(into row: UnsafeMutableBufferPointer<UInt8>) throws {
    if counter.count == failsAt { throw Broken() }
    try rows.next(into: row)
    counter.count += 1
  }
}
