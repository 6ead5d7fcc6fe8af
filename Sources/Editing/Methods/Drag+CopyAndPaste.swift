import Tensors

extension Drag {
  /// Where a small drag copies from and to.
  typealias Copy = (source: Square, target: Square)

  /// The squares of every point in a small drag, but of those around which there is none.
  func squares(ofPart i: Int, height: Int, width: Int, _ observer: EditObserver) -> [Copy] {
    moves.enumerated().compactMap { index, move in
      let copy = squares(move.inCells.part(i, of: dragCount), height: height, width: width)
      guard copy.source.isEmpty else { return copy }
      observer.warn(
        "Point \(index + 1) goes from border to border, where no square fits around it: it is skipped.")
      return nil
    }
  }

  /// Points in order, each on what the earlier ones left. The copy is written second and wins an overlap.
  func copyAndPaste(
    _ copies: [Copy], in x: inout Latent, tape: any NoiseTape, firstDraw: Int
  ) throws {
    let noiseScale = (1 - sourceScale * sourceScale).squareRoot()
    for (index, (from, to)) in copies.enumerated() {
      let noise = try tape.normal(
        firstDraw + index, count: 1, height: from.rows.count, width: from.columns.count, channels: x.channels)[
          0]
      let original = x
      for (i, row) in from.rows.enumerated() {
        for (j, column) in from.columns.enumerated() {
          for c in 0..<x.channels {
            let kept = sourceScale * Double(original[row, column, c])
            x[row, column, c] = Float(kept + noiseScale * Double(noise[i, j, c]))
          }
        }
      }
      for (row, target) in zip(from.rows, to.rows) {
        for (column, targetColumn) in zip(from.columns, to.columns) {
          for c in 0..<x.channels {
            x[target, targetColumn, c] = Float(copyScale * Double(original[row, column, c]))
          }
        }
      }
    }
  }
}
