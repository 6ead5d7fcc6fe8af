import Evaluation
import ImageFiles
import Pentimento
import Tensors
import Testing

@Suite("Fidelity") struct FidelityTests {
  /// Grey but for one pixel that is 51 levels brighter in red.
  private let plain = Picture(width: 4, height: 2, pixels: Array(repeating: 100, count: 24))
  private var touched: Picture {
    var picture = plain
    picture.pixels[0] = 151
    return picture
  }

  @Test("is the peak of 8-bit pictures over the mean squared error")
  func knownValues() throws {
    // 51² over 24 samples; 255/51 = 5, so 10·log₁₀(25·24) dB.
    #expect(touched.meanSquaredError(to: plain) == 51 * 51 / 24.0)
    #expect(abs(decibels(try #require(touched.meanSquaredError(to: plain))) - 27.781512503836435) < 1e-12)
    // Black against white: error and peak are the same.
    #expect(decibels(255 * 255) == 0)
    #expect(decibels(1) == 48.1308036086791)
  }

  @Test("has no value for equal pictures, which count as 99 dB among others, and nothing better")
  func equalPictures() throws {
    #expect(plain.decibels(against: plain) == nil && peakSignalToNoise(meanSquaredError: 0) == nil)
    #expect(abs(try #require(touched.decibels(against: plain)) - 27.781512503836435) < 1e-12)
    #expect(try decibels(#require(plain.meanSquaredError(to: plain))) == 99)
    #expect(decibels(1e-9) == 99)
  }

  @Test("looks at one side of a mask alone, white from 128 on")
  func regions() {
    let mask = MaskPicture(width: 4, height: 2, pixels: [128, 127, 0, 255, 0, 0, 0, 0])
    #expect(touched.meanSquaredError(to: plain, .inside, of: mask) == 51 * 51 / 6.0)
    #expect(touched.meanSquaredError(to: plain, .outside, of: mask) == 0)
    let nothing = MaskPicture(width: 4, height: 2, pixels: Array(repeating: 0, count: 8))
    #expect(touched.meanSquaredError(to: plain, .inside, of: nothing) == nil)
    #expect(touched.meanSquaredError(to: plain, .everywhere, of: nothing) == 51 * 51 / 24.0)
  }
}

@Suite("Contact sheet") struct ContactSheetTests {
  @Test("shows every picture in its place, with lines between")
  func places() {
    func flat(_ level: UInt8) -> Picture {
      Picture(width: 3, height: 3, pixels: Array(repeating: level, count: 27))
    }
    let sheet = ContactSheet.draw(
      [[flat(10), flat(20)], [flat(30), flat(40)], [flat(50), flat(60)]], side: 3)
    #expect(sheet.width == 8 && sheet.height == 13)
    func level(_ x: Int, _ y: Int) -> UInt8 { sheet.pixels[(y * sheet.width + x) * 3] }
    #expect([level(0, 0), level(2, 2), level(5, 0), level(7, 2)] == [10, 10, 20, 20])
    #expect([level(0, 5), level(7, 7), level(0, 10), level(7, 12)] == [30, 40, 50, 60])
    for line in 3...4 { #expect(level(line, 0) == 128 && level(0, line) == 128) }
  }
}
