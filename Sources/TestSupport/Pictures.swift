import Pictures
import Tensors

extension Picture {
  package init(_ width: Int, _ height: Int, _ sample: (_ x: Int, _ y: Int, _ channel: Int) -> Int) {
    var pixels: [UInt8] = []
    for y in 0..<height {
      for x in 0..<width {
        for c in 0..<3 { pixels.append(UInt8(sample(x, y, c))) }
      }
    }
    self.init(width: width, height: height, pixels: pixels)
  }

  /// Something without symmetry.
  package static func speckled(_ width: Int, _ height: Int) -> Picture {
    Picture(width, height) { x, y, c in (x * 31 + y * 17 + c * 53 + x * y) % 256 }
  }

  package func largestDifference(_ other: Picture) -> Int {
    zip(pixels, other.pixels).reduce(0) { max($0, abs(Int($1.0) - Int($1.1))) }
  }
}

extension MaskPicture {
  package init(_ width: Int, _ height: Int, _ value: (_ x: Int, _ y: Int) -> Int) {
    self.init(
      width: width, height: height,
      pixels: (0..<width * height).map { UInt8(value($0 % width, $0 / width)) })
  }
}

/// The smallest EXIF that says how a picture is held: a TIFF structure of one entry.
package func exif(orientation: Int, littleEndian: Bool = false, type: Int = 3) -> [UInt8] {
  func number(_ value: Int, _ count: Int) -> [UInt8] {
    let bytes = Array(bigEndian(value).suffix(count))
    return littleEndian ? bytes.reversed() : bytes
  }
  let value = type == 3 ? number(orientation, 2) + [0, 0] : number(orientation, 4)
  return Array((littleEndian ? "II" : "MM").utf8) + number(42, 2) + number(8, 4) + number(1, 2)
    + number(0x0112, 2) + number(type, 2) + number(1, 4) + value + number(0, 4)
}

/// A picture as a file with this orientation has to store it, so that it is upright when it is read.
package func stored<Pixel>(
  width: Int, height: Int, orientation: Int, _ pixel: (_ x: Int, _ y: Int) -> Pixel
) -> (width: Int, height: Int, pixel: [Pixel]) {
  // The picture's position of the first stored pixel and the steps along stored columns and rows, in EXIF's words:
  // the 0th row is at the … side, the 0th column at the … side.
  let (right, bottom) = (width - 1, height - 1)
  let way: (x: Int, y: Int, column: (Int, Int), row: (Int, Int)) =
    switch orientation {
    case 2: (right, 0, (-1, 0), (0, 1))  // top, right
    case 3: (right, bottom, (-1, 0), (0, -1))  // bottom, right
    case 4: (0, bottom, (1, 0), (0, -1))  // bottom, left
    case 5: (0, 0, (0, 1), (1, 0))  // left, top
    case 6: (right, 0, (0, 1), (-1, 0))  // right, top
    case 7: (right, bottom, (0, -1), (-1, 0))  // right, bottom
    case 8: (0, bottom, (0, -1), (1, 0))  // left, bottom
    default: (0, 0, (1, 0), (0, 1))  // top, left
    }
  let (w, h) = orientation < 5 ? (width, height) : (height, width)
  let pixels = (0..<w * h).map { i in
    let (column, row) = (i % w, i / w)
    return pixel(
      way.x + column * way.column.0 + row * way.row.0, way.y + column * way.column.1 + row * way.row.1)
  }
  return (w, h, pixels)
}
