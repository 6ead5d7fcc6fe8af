import NeuralGraph
import Tensors

/// One action of a run.
package enum Step: Hashable, Sendable {
  /// Bring a weight into the streaming window; weights that stay resident are fetched before the first run.
  case fetch(Weight)
  /// Execute a node, for every lane.
  case run(node: Int)
  /// The window's contents are no longer needed.
  case drop
}

/// A schedule for one graph that is known to fit: what runs in which order, and where every byte lies.
///
/// All sizes are bytes. Offsets are multiples of 64.
package struct Plan: Sendable {
  package internal(set) var steps: [Step] = []
  /// Values whose contents the caller may read after a run, by name.
  package internal(set) var outputs: [String: Value] = [:]
  /// Place of every value that is not a weight, in the arena of its lane.
  package internal(set) var valueOffset: [Value: Int] = [:]
  /// Place of every resident weight in the weight region.
  package internal(set) var residentOffset: [String: Int] = [:]
  /// Place of every streamed weight in the window, while it is there.
  package internal(set) var windowOffset: [String: Int] = [:]

  /// Activations, per lane.
  package internal(set) var arenaBytes = 0
  /// Queries that are computed side by side, each with an arena.
  package internal(set) var lanes = 1
  /// Working memory of the operator that needs most.
  package internal(set) var scratchBytes = 0
  /// Weights that stay in memory from the first run to the last.
  package internal(set) var residentBytes = 0
  /// Weights that are fetched anew for every pass: the largest node's share.
  package internal(set) var windowBytes = 0
  /// Of the file, read ahead while the node before computes; 0 where the budget has no room for it.
  package internal(set) var readAheadBytes = 0
  /// Rows of a checkpoint tensor on their way from the file into kernel layout.
  package internal(set) var stagingBytes = 0

  /// What the executor allocates for this plan, and what it lets the system read ahead.
  package var peakBytes: Int {
    arenaBytes * lanes + scratchBytes + residentBytes + windowBytes + readAheadBytes + stagingBytes
  }
}

/// Why no plan could be made.
package enum PlanError: Error, Equatable {
  case overBudget(needed: Int, budget: Int)
}
