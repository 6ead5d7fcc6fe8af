/// What a number of lanes costs and saves, of a network whose weights are streamed for queries that come several at once.
///
/// Every lane takes an arena from the weights that stay, and all lanes share the reading of the others:
///
///     bytes = ⌈queries/lanes⌉·(weights − stays),   stays = room − (lanes − 1)·arena
///
/// Computing takes the same time for every number. Reading goes on meanwhile as far as the window has room for the next
/// node's weights; the rest of it is waited for:
///
///     seconds = computing + reading − ahead·min(computing, reading)
package struct LaneChoice: Sendable, Hashable {
  package let lanes: Int
  /// Over the weights, for the queries that come at once.
  package let passes: Int
  /// Read in these passes.
  package let bytes: Int
  /// For these queries; nil where the machine was not measured.
  package let seconds: Double?

  /// - Parameters:
  ///   - queries: that come at once.
  ///   - arena: bytes of a lane.
  ///   - window: bytes of the largest node's weights.
  ///   - weights: bytes of all weights.
  ///   - room: bytes that are left beside one lane and the window.
  ///   - multiplyAdds: of one query.
  init(
    lanes: Int, of queries: Int, arena: Int, window: Int, weights: Int, room: Int, multiplyAdds: Int,
    _ speed: TransferSpeed?
  ) {
    let left = room - (lanes - 1) * arena
    let ahead = min(window, left)
    self.lanes = lanes
    passes = (queries + lanes - 1) / lanes
    bytes = passes * max(0, weights - (left - ahead))
    guard let speed else {
      seconds = nil
      return
    }
    let computing = Double(queries) * Double(multiplyAdds) / speed.multiplyAddsPerSecond
    let reading = Double(bytes) / speed.bytesPerSecond
    seconds = computing + reading - Double(ahead) / Double(max(window, 1)) * min(computing, reading)
  }

  /// The one that takes least time; of those that take as long, within a hundredth, or whose time is not known, the one
  /// that reads least, and then the one with fewest lanes.
  ///
  /// - Precondition: there is one.
  static func best(of choices: [LaneChoice]) -> LaneChoice {
    let least = choices.compactMap(\.seconds).min()
    let fast = choices.filter { choice in least.map { choice.seconds! <= 1.01 * $0 } ?? true }
    return fast.min { ($0.bytes, $0.lanes) < ($1.bytes, $1.lanes) }!
  }
}

/// How fast a machine computes and reads.
package struct TransferSpeed: Sendable, Hashable {
  package var multiplyAddsPerSecond: Double
  package var bytesPerSecond: Double

  package init(multiplyAddsPerSecond: Double, bytesPerSecond: Double) {
    (self.multiplyAddsPerSecond, self.bytesPerSecond) = (multiplyAddsPerSecond, bytesPerSecond)
  }
}
