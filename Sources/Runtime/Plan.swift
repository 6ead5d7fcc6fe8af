import NeuralGraph
import Tensors

/// One action of a run.
package enum Step: Hashable, Sendable {
  /// Bring weights to the streaming window; those that stay resident are fetched before the first run.
  case fetch([Value])
  /// Execute a node, for every lane.
  case run(node: Int)
  /// What was fetched last is no longer needed.
  case drop
}

/// A schedule for one graph that is known to fit: what runs in which order, and where every byte lies.
///
/// All sizes are bytes. Offsets are multiples of 64.
package struct Plan: Sendable {
  package internal(set) var steps: [Step] = []
  /// Values whose contents the caller may read after a run, by name.
  package internal(set) var outputs: [String: Value] = [:]
  /// Place of every value that is computed or given, in the arena of its lane.
  package internal(set) var valueOffset: [Value: Int] = [:]
  /// Place of every resident weight in the weight region.
  package internal(set) var residentOffset: [Value: Int] = [:]
  /// Place of every trained value in the region that all lanes share.
  package internal(set) var parameterOffset: [Value: Int] = [:]
  /// Of the nodes that look up rows of a table: where in the scratch memory, behind the operator's own, these lie.
  package internal(set) var lookupOffset: [Int: Int] = [:]

  /// Activations, per lane.
  package internal(set) var arenaBytes = 0
  /// Queries that are computed side by side, each with an arena.
  package internal(set) var lanes = 1
  /// The numbers of lanes that fit, of which that one is the best; none where nothing is streamed.
  package internal(set) var choices: [LaneChoice] = []
  /// Working memory of the operator that needs most, with the rows of a table that it looks up.
  package internal(set) var scratchBytes = 0
  /// Trained values: they stay from run to run, and change between two.
  package internal(set) var parameterBytes = 0
  /// Weights that stay in memory from the first run to the last.
  package internal(set) var residentBytes = 0
  /// Weights that are fetched anew for every pass: the largest node's share.
  package internal(set) var windowBytes = 0
  /// By so much the window is larger than that: weights that are read while the nodes before them compute. 0 where the
  /// budget has no room for it.
  package internal(set) var readAheadBytes = 0
  /// Rows of a checkpoint tensor on their way from the file into kernel layout.
  package internal(set) var stagingBytes = 0

  /// What the executor allocates for this plan.
  package var peakBytes: Int {
    arenaBytes * lanes + scratchBytes + parameterBytes + residentBytes + windowBytes + readAheadBytes
      + stagingBytes
  }
}

/// Why no plan could be made.
package enum PlanError: Error, Equatable {
  case overBudget(needed: Int, budget: Int)
}
