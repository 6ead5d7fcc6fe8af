import Pictures
import Tensors
import TestSupport
import Testing

@Suite("Resized picture") struct ResamplingTests {
  static let sizes = [(1, 1), (2, 3), (7, 5), (13, 31), (64, 64), (127, 61), (311, 1)]

  @Test("of one colour keeps it exactly", arguments: sizes, sizes)
  func constant(from: (Int, Int), to: (Int, Int)) {
    let colors = [0, 77, 255]
    let resized = Picture(from.0, from.1) { _, _, c in colors[c] }.resized(width: to.0, height: to.1)
    #expect(resized == Picture(to.0, to.1) { _, _, c in colors[c] })
  }

  @Test("of the same size is the same picture", arguments: sizes) func identity(size: (Int, Int)) {
    let picture = Picture.speckled(size.0, size.1)
    #expect(picture.resized(width: size.0, height: size.1) == picture)
  }

  @Test("keeps the other axis exactly when one is stretched") func oneAxis() {
    // Every row is alike, so stretching the height changes nothing.
    let rows = Picture(31, 7) { x, _, c in (x * 71 + c * 13) % 256 }
    #expect(rows.resized(width: 31, height: 53) == Picture(31, 53) { x, _, c in (x * 71 + c * 13) % 256 })
  }

  @Test("stays a ramp away from the edges", arguments: [29, 50, 101, 128, 199, 256, 512, 1009])
  func ramp(width: Int) {
    // The cubic reproduces straight lines when it interpolates. Stretched over s > 1 pixels its first moment
    // is off by less than 0.01 pixel (found by summation), here 0.02 level. Rounding to 2⁻⁶ adds less than
    // 0.01, rounding of the running weights at most taps · 2⁻¹⁵ pixels < 0.01 level, the last rounding ½.
    let source = Picture(128, 3) { x, _, _ in 2 * x }
    let resized = source.resized(width: width, height: 3)
    let scale = 128 / Double(width)
    let margin = Int(2 * max(1, scale) / scale) + 1
    for x in margin..<width - margin {
      let expected = 2 * ((Double(x) + 0.5) * scale - 0.5)
      for c in 0..<3 { #expect(abs(Double(resized.pixels[(width + x) * 3 + c]) - expected) < 0.54) }
    }
  }

  @Test("interpolates an upright and a lying picture alike") func transposed() {
    let picture = Picture.speckled(37, 23)
    let flipped = Picture(23, 37) { x, y, c in Int(picture.pixels[(x * 37 + y) * 3 + c]) }
    let a = picture.resized(width: 101, height: 17)
    let b = flipped.resized(width: 17, height: 101)
    let back = Picture(101, 17) { x, y, c in Int(b.pixels[(x * 17 + y) * 3 + c]) }
    // Rounding to 2⁻⁶ levels happens between the axes, in another order: one level at most.
    #expect(a.largestDifference(back) <= 1)
  }

  @Test("is what the cubic says in floating point", arguments: [(61, 47), (13, 9), (150, 140)])
  func reference(to: (Int, Int)) {
    let (width, height) = (53, 41)
    let picture = Picture.speckled(width, height)
    let resized = picture.resized(width: to.0, height: to.1)
    func weights(_ i: Int, _ source: Int, _ target: Int) -> [Double] {
      let scale = Double(source) / Double(target)
      let values = (0..<source).map { j in
        let x = abs(Double(j) + 0.5 - (Double(i) + 0.5) * scale) / max(1, scale)
        return x < 1
          ? 1.5 * x * x * x - 2.5 * x * x + 1 : x < 2 ? -0.5 * x * x * x + 2.5 * x * x - 4 * x + 2 : 0
      }
      return values.map { $0 / values.reduce(0, +) }
    }
    let columns = (0..<to.0).map { weights($0, width, to.0) }
    for y in 0..<to.1 {
      let rows = weights(y, height, to.1)
      for x in 0..<to.0 {
        var sum = 0.0
        for v in 0..<height where rows[v] != 0 {
          for u in 0..<width { sum += rows[v] * columns[x][u] * Double(picture.pixels[(v * width + u) * 3]) }
        }
        // The last rounding ½, the one between the passes 2⁻⁷ · 1.25, and in each pass at most 19 weights off
        // by 2⁻¹⁴ times 255 levels, which the other pass may enlarge by 1.25.
        let tolerance = 0.5 + 0.01 + 2 * 1.25 * 19 * 255 / 16_384
        #expect(abs(Double(resized.pixels[(y * to.0 + x) * 3]) - min(max(sum, 0), 255)) <= tolerance)
      }
    }
  }

  @Test("does not alias when it shrinks") func minification() {
    // Stripes one pixel wide become an even 127.5: the kernel lets 0.04 level through (found by summation),
    // 31 weights off by 2⁻¹⁴ add at most ¼. At the ends, where the kernel is cut off, more gets through.
    let stripes = Picture(512, 8) { x, _, _ in x % 2 * 255 }
    let resized = stripes.resized(width: 67, height: 8)
    for i in resized.pixels.indices where (2..<65).contains(i / 3 % 67) {
      #expect((127...128).contains(resized.pixels[i]))
    }
  }

  @Test("has no white or black halo beyond 0 and 255") func clamped() {
    let edge = Picture(16, 16) { x, _, _ in x < 8 ? 0 : 255 }
    let resized = edge.resized(width: 113, height: 16)
    #expect(resized.pixels.first == 0 && resized.pixels.last == 255)
    #expect(resized.largestDifference(Picture(113, 16) { x, _, _ in x < 56 ? 0 : 255 }) < 200)
  }
}
