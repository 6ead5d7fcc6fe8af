import Pictures

/// How the rows of a file lie on the upright picture, by the number that EXIF has for it (tag 0x0112).
///
/// What is handed out is upright always, so sizes and points never meet it.
enum Orientation: Int, CaseIterable, Sendable {
  case upright = 1
  /// Left and right exchanged.
  case mirrored
  case upsideDown
  /// Top and bottom exchanged.
  case flipped
  /// Rows and columns exchanged.
  case transposed
  /// To be turned clockwise: the first row is the right side.
  case turnedLeft
  /// Rows and columns exchanged, counted from the other ends.
  case transversed
  /// To be turned counterclockwise: the first row is the left side.
  case turnedRight

  /// The rows of the file are columns of the picture.
  var exchangesSides: Bool { rawValue >= 5 }

  /// Rows in the file's order are enough to hand out upright ones.
  var keepsRows: Bool { rawValue <= 2 }

  func upright(_ stored: Extent) -> Extent {
    exchangesSides ? Extent(width: stored.height, height: stored.width) : stored
  }

  /// Where the upright row `y` begins in the file, and the steps from pixel to pixel there: columns, rows.
  func row(_ y: Int, of stored: Extent) -> (x: Int, y: Int, dx: Int, dy: Int) {
    let (right, bottom) = (stored.width - 1, stored.height - 1)
    return switch self {
    case .upright: (0, y, 1, 0)
    case .mirrored: (right, y, -1, 0)
    case .upsideDown: (right, bottom - y, -1, 0)
    case .flipped: (0, bottom - y, 1, 0)
    case .transposed: (y, 0, 0, 1)
    case .turnedLeft: (y, bottom, 0, -1)
    case .transversed: (right - y, bottom, 0, -1)
    case .turnedRight: (right - y, 0, 0, 1)
    }
  }
}

/// Upright rows of a picture that lies in memory as its file has it; gives it back after the last one.
final class TurnedRows: RowPass {
  private var pixels: PixelBuffer?
  private let orientation: Orientation
  private let height: Int
  private var y = 0

  init(_ pixels: PixelBuffer, _ orientation: Orientation) {
    (self.pixels, self.orientation) = (pixels, orientation)
    height = orientation.upright(pixels.extent).height
  }

  func next(into row: UnsafeMutableBufferPointer<UInt8>) {
    guard let pixels else { preconditionFailure("\(height) rows have been read") }
    let (x, line, dx, dy) = orientation.row(y, of: pixels.extent)
    let channels = pixels.bytesPerPixel
    var source = pixels.start + (line * pixels.extent.width + x) * channels
    let step = (dy * pixels.extent.width + dx) * channels
    for start in stride(from: 0, to: row.count, by: channels) {
      for c in 0..<channels { row[start + c] = source[c] }
      source += step
    }
    y += 1
    if y == height { self.pixels = nil }
  }
}

/// Rows with left and right exchanged.
final class MirroredRows: RowPass {
  private let rows: any RowPass
  /// Bytes of a pixel.
  private let channels: Int

  init(_ rows: any RowPass, bytesPerPixel: Int) { (self.rows, channels) = (rows, bytesPerPixel) }

  func next(into row: UnsafeMutableBufferPointer<UInt8>) throws {
    try rows.next(into: row)
    var (left, right) = (0, row.count - channels)
    while left < right {
      for c in 0..<channels { row.swapAt(left + c, right + c) }
      left += channels
      right -= channels
    }
  }
}
