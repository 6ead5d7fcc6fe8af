import Tensors

/// Where a concept of LEDITS++ may act, found from the network's own answers (Brack et al. 2024,
/// semantic grounding).
package enum ImplicitMask {
  /// M¹: where the image attends to the concept's words.
  ///
  /// The columns of the map that are words are summed, smoothed with a 3×3 Gaussian e^{−dx²−dy²} over reflected borders,
  /// cut at the `threshold`-quantile and enlarged.
  ///
  /// - Parameter words: see `Condition.wordRows`.
  package static func attention(
    _ map: HostTensor, words: [Range<Int>], threshold: Double, height: Int, width: Int
  ) -> Mask {
    let (rows, columns, all) = (map.shape[0], map.shape[1], map.shape[2])
    let used = words.flatMap { $0.clamped(to: 0..<all) }
    let sums = (0..<rows * columns).map { p in
      used.reduce(0.0) { $0 + Double(map.values[p * all + $1]) }
    }
    let smooth = smoothed(sums, rows: rows, columns: columns)
    let bound = quantile(smooth, threshold)
    let small = Mask(height: rows, width: columns, values: smooth.map { $0 >= bound ? 1 : 0 })
    return small.nearest(height: height, width: width)
  }

  /// M²: where the concept changes the prediction most, |ψ| summed over channels.
  package static func magnitude(_ psi: [Double], threshold: Double, height: Int, width: Int) -> Mask {
    let channels = psi.count / (height * width)
    let sums = (0..<height * width).map { p in
      (p * channels..<(p + 1) * channels).reduce(0) { $0 + abs(psi[$1]) }
    }
    let bound = quantile(sums, threshold)
    return Mask(height: height, width: width, values: sums.map { $0 >= bound ? 1 : 0 })
  }

  private static func smoothed(_ map: [Double], rows: Int, columns: Int) -> [Double] {
    let side = 0.36787944117144233  // 1/e
    let weights = [side, 1, side].map { $0 / (1 + 2 * side) }
    // −1 → 1 and n → n − 2; a single row is its own neighbour.
    func reflected(_ i: Int, _ count: Int) -> Int {
      max(0, min(i < 0 ? -i : i >= count ? 2 * count - 2 - i : i, count - 1))
    }
    var out = map
    for y in 0..<rows {
      for x in 0..<columns {
        var sum = 0.0
        for dy in -1...1 {
          for dx in -1...1 {
            sum +=
              weights[dy + 1] * weights[dx + 1]
              * map[reflected(y + dy, rows) * columns + reflected(x + dx, columns)]
          }
        }
        out[y * columns + x] = sum
      }
    }
    return out
  }
}

extension Mask {
  /// 1 where both are.
  func union(_ other: Mask) -> Mask {
    Mask(height: height, width: width, values: zip(values, other.values).map { max($0, $1) })
  }
  func intersection(_ other: Mask) -> Mask {
    Mask(height: height, width: width, values: zip(values, other.values).map { $0 * $1 })
  }
}
