import Tensors

extension Drag {
  /// Pixels of one latent cell.
  static let cell = 8

  /// A position in pixels, or in latent cells.
  public struct Point: Sendable, Equatable, Codable {
    public var x: Int
    public var y: Int
    public init(x: Int, y: Int) { (self.x, self.y) = (x, y) }

    var inCells: Point { Point(x: x / Drag.cell, y: y / Drag.cell) }
  }

  /// What is under `source` shall go to `target`, in pixels of the picture that was encoded.
  public struct Move: Sendable, Equatable, Codable {
    public var source: Point
    public var target: Point
    public init(from source: Point, to target: Point) { (self.source, self.target) = (source, target) }

    package var inCells: Move { Move(from: source.inCells, to: target.inCells) }

    /// Part i of m in whole cells, rounded toward the source; the last ends on the target.
    package func part(_ i: Int, of m: Int) -> Move {
      func along(_ i: Int) -> Point {
        Point(x: source.x + i * (target.x - source.x) / m, y: source.y + i * (target.y - source.y) / m)
      }
      return Move(from: along(i), to: along(i + 1))
    }
  }

  /// Rows and columns around a point: half-open ranges.
  package struct Square: Equatable {
    package var rows: Range<Int>
    package var columns: Range<Int>
    var isEmpty: Bool { rows.isEmpty || columns.isEmpty }
  }

  /// Equal squares around both points of a move, cut where either would leave the latent. As in the released
  /// code the last row and column are never part of one.
  package func squares(_ move: Move, height: Int, width: Int) -> (source: Square, target: Square) {
    let (p, q) = (move.source, move.target)
    let (left, right) = (min(radius, p.x, q.x), min(radius, width - 1 - p.x, width - 1 - q.x))
    let (up, down) = (min(radius, p.y, q.y), min(radius, height - 1 - p.y, height - 1 - q.y))
    func square(_ c: Point) -> Square {
      Square(rows: c.y - up..<c.y + down, columns: c.x - left..<c.x + right)
    }
    return (square(p), square(q))
  }

  /// Number of small drags m: the one whose length per drag is nearest to `stepSize` cells.
  package var dragCount: Int {
    let longest =
      moves.map { move in
        let (dx, dy) = (
          move.inCells.target.x - move.inCells.source.x, move.inCells.target.y - move.inCells.source.y
        )
        return Double(dx * dx + dy * dy).squareRoot()
      }.max() ?? 0
    guard longest > stepSize else { return 1 }
    let m = (longest / stepSize).rounded(.down)
    return Int(abs(longest / m - stepSize) > abs(longest / (m + 1) - stepSize) ? m + 1 : m)
  }

  /// The editable area where the user gives none but wants one: discs of three radii around every path.
  package func automaticMask(height: Int, width: Int) -> Mask {
    var mask = Mask(height: height, width: width, repeating: 0)
    let reach = Double(3 * radius)
    for move in moves.map(\.inCells) {
      let (dx, dy) = (Double(move.target.x - move.source.x), Double(move.target.y - move.source.y))
      let length2 = dx * dx + dy * dy
      for y in 0..<height {
        for x in 0..<width {
          let (px, py) = (Double(x - move.source.x), Double(y - move.source.y))
          let along = length2 > 0 ? min(max((px * dx + py * dy) / length2, 0), 1) : 0
          let (ex, ey) = (px - along * dx, py - along * dy)
          if ex * ex + ey * ey <= reach * reach { mask[y, x] = 1 }
        }
      }
    }
    return mask
  }

  /// Throws unless there are points and all lie inside a picture of this latent size.
  package func checkPoints(height: Int, width: Int) throws(EditError) {
    guard !moves.isEmpty else { throw .noPoints }
    let (rows, columns) = (height * Self.cell, width * Self.cell)
    for (i, move) in moves.enumerated() {
      for p in [move.source, move.target] where !(0..<columns).contains(p.x) || !(0..<rows).contains(p.y) {
        throw .pointOutside(index: i, x: p.x, y: p.y, width: columns, height: rows)
      }
    }
  }
}
