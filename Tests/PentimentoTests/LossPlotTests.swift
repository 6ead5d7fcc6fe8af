import Pentimento
import Tensors
import Testing

@Suite("Plot of losses") struct LossPlotTests {
  /// Places of the dots of one colour.
  private func places(_ picture: Picture, _ colour: [UInt8]) -> [(x: Int, y: Int)] {
    (0..<picture.width * picture.height).filter { Array(picture.pixels[3 * $0..<3 * $0 + 3]) == colour }
      .map { ($0 % picture.width, $0 / picture.width) }
  }
  private let line: [UInt8] = [25, 90, 170]

  @Test("falls where losses fall, over the whole width") func falls() {
    let picture = LossPlot((0..<200).map { 100 / Double(1 + $0) }).picture
    let line = places(picture, line)
    let (left, right) = (line.min { $0.x < $1.x }!, line.max { $0.x < $1.x }!)
    #expect(right.x - left.x > picture.width * 3 / 4)
    #expect(right.y - left.y > picture.height / 3)
  }

  @Test("of losses over decades has equal steps for equal factors") func logarithmic() {
    // Each step a tenth of the one before: a straight line.
    let picture = LossPlot([1, 0.1, 0.01, 0.001, 0.0001]).picture
    let line = places(picture, line)
    let (left, right) = (line.min { $0.x < $1.x }!, line.max { $0.x < $1.x }!)
    for place in line {
      let expected =
        Double(left.y) + Double(right.y - left.y) * Double(place.x - left.x) / Double(right.x - left.x)
      #expect((Double(place.y) - expected).magnitude <= 1.5)
    }
  }

  @Test(
    "has a picture of whatever losses there are",
    arguments: [
      [], [1], [0, 0, 0], [-3, 2, 1], [.nan, 1, .infinity, 2], [1e-300, 1e300], [5, 5, 5, 5],
    ] as [[Double]])
  func anything(losses: [Double]) {
    let picture = LossPlot(losses).picture
    #expect(picture.width == 640 && picture.pixels.count == 3 * picture.width * picture.height)
    // Axes are always there.
    #expect(places(picture, [40, 40, 40]).count > 800)
  }
}
