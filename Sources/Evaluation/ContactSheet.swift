import Tensors

/// Pictures in rows and columns, with thin grey lines between them.
public enum ContactSheet {
  /// Pixels between two pictures.
  static let gap = 2

  /// - Parameters:
  ///   - rows: rows of equally many pictures; each is scaled to a square of `side` pixels.
  /// - Returns: `[rows·(side + gap) − gap, columns·(side + gap) − gap]` pixels.
  public static func draw(_ rows: [[Picture]], side: Int) -> Picture {
    precondition(!rows.isEmpty && rows.allSatisfy { $0.count == rows[0].count && !$0.isEmpty })
    let width = rows[0].count * (side + gap) - gap
    let height = rows.count * (side + gap) - gap
    var pixels = [UInt8](repeating: 128, count: width * height * 3)
    for (i, row) in rows.enumerated() {
      for (j, picture) in row.enumerated() {
        let cell = picture.resized(width: side, height: side)
        for y in 0..<side {
          let start = ((i * (side + gap) + y) * width + j * (side + gap)) * 3
          pixels.replaceSubrange(
            start..<start + side * 3, with: cell.pixels[y * side * 3..<(y + 1) * side * 3])
        }
      }
    }
    return Picture(width: width, height: height, pixels: pixels)
  }
}
