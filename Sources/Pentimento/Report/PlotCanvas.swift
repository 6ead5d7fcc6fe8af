import Tensors

/// A white picture to draw lines, dots and numbers on.
struct PlotCanvas {
  private(set) var picture: Picture

  enum Colour {
    case ink, faint, light, strong

    fileprivate var bytes: [UInt8] {
      switch self {
      case .ink: [40, 40, 40]
      case .faint: [228, 228, 228]
      case .light: [160, 190, 225]
      case .strong: [25, 90, 170]
      }
    }
  }

  init(width: Int, height: Int) {
    picture = Picture(
      width: width, height: height, pixels: [UInt8](repeating: 255, count: 3 * width * height))
  }

  /// Nothing outside the picture.
  mutating func dot(_ x: Int, _ y: Int, _ colour: Colour) {
    guard (0..<picture.width).contains(x), (0..<picture.height).contains(y) else { return }
    let place = 3 * (y * picture.width + x)
    picture.pixels.replaceSubrange(place..<place + 3, with: colour.bytes)
  }

  /// Bresenham's line, both ends included.
  mutating func line(_ x0: Int, _ y0: Int, _ x1: Int, _ y1: Int, _ colour: Colour) {
    let (dx, dy) = (abs(x1 - x0), -abs(y1 - y0))
    let (sx, sy) = (x0 < x1 ? 1 : -1, y0 < y1 ? 1 : -1)
    var (x, y, error) = (x0, y0, dx + dy)
    while true {
      dot(x, y, colour)
      if x == x1, y == y1 { return }
      let twice = 2 * error
      if twice >= dy { (error, x) = (error + dy, x + sx) }
      if twice <= dx { (error, y) = (error + dx, y + sy) }
    }
  }

  // MARK: Numbers

  /// Digits of three by five squares, the rows from the top, the left square the highest of three bits.
  private static let glyphs: [Character: [UInt8]] = [
    "0": [7, 5, 5, 5, 7], "1": [2, 6, 2, 2, 7], "2": [7, 1, 7, 4, 7], "3": [7, 1, 7, 1, 7],
    "4": [5, 5, 7, 1, 1], "5": [7, 4, 7, 1, 7], "6": [7, 4, 7, 5, 7], "7": [7, 1, 2, 2, 2],
    "8": [7, 5, 7, 5, 7], "9": [7, 5, 7, 1, 7], ".": [0, 0, 0, 0, 2], "-": [0, 0, 7, 0, 0],
    "e": [0, 7, 7, 4, 7],
  ]
  /// Pixels of a square.
  private static let square = 2
  static let textHeight = 5 * square

  static func width(of text: String) -> Int { max(0, text.count * 4 - 1) * square }

  mutating func write(_ text: String, _ x: Int, _ y: Int) {
    for (i, character) in text.enumerated() {
      for (row, bits) in (Self.glyphs[character] ?? []).enumerated() {
        for column in 0..<3 where bits >> (2 - column) & 1 == 1 {
          for dy in 0..<Self.square {
            for dx in 0..<Self.square {
              dot(
                x + (i * 4 + column) * Self.square + dx, y + row * Self.square + dy, .ink)
            }
          }
        }
      }
    }
  }
}
