import NeuralGraph
import Tensors

/// One action of a run.
///
/// A place in the window belongs to the step: the same weight may lie elsewhere where another node reads it beside
/// others.
package enum Step: Hashable, Sendable {
  /// Bring a weight to a place of the streaming window; weights that stay resident are fetched before the first run.
  case fetch(Value, at: Int)
  /// Execute a node, for every lane. `window` says where the weights lie that were fetched for it.
  case run(node: Int, window: [Value: Int])
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
  /// Working memory of the operator that needs most, with the rows of a table that it looks up.
  package internal(set) var scratchBytes = 0
  /// Trained values: they stay from run to run, and change between two.
  package internal(set) var parameterBytes = 0
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
    arenaBytes * lanes + scratchBytes + parameterBytes + residentBytes + windowBytes + readAheadBytes
      + stagingBytes
  }
}

/// Why no plan could be made.
package enum PlanError: Error, Equatable {
  case overBudget(needed: Int, budget: Int)
}
