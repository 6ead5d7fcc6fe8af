import NeuralGraph
import WeightStorage

/// Weights that were to stay in memory and had to give way: each is asked for one node ahead where it is mapped, read again
/// where it was copied, and given back behind its node.
struct WeightsOnDemand {
  private var weights: [Value: StoredWeight] = [:]
  /// Those of which there was a copy.
  private var copies: Set<Value> = []
  private(set) var byteCount = 0
  private var asked: ContinuousClock.Instant?

  /// How often the state of memory is looked at: reading the kernel's figures takes some hundred microseconds.
  private static let interval = Duration.milliseconds(250)

  /// Whether it is time to look again.
  mutating func isDue(atOnce: Bool) -> Bool {
    let now = ContinuousClock.now
    if !atOnce, let asked, now - asked < Self.interval { return false }
    asked = now
    return true
  }

  /// Gives a weight back.
  mutating func add(_ value: Value, _ weight: StoredWeight) {
    guard weights.updateValue(weight, forKey: value) == nil else { return }
    byteCount += weight.byteCount
    weight.release()
  }

  /// Counts a copy that its owner gives back.
  mutating func add(_ value: Value, copyOf bytes: Int) {
    if copies.insert(value).inserted { byteCount += bytes }
  }

  /// Whether there was a copy of a weight that has to be read again.
  func isGone(_ value: Value) -> Bool { copies.contains(value) }

  /// Asks for those that the next two nodes read.
  func prefetch(for steps: ArraySlice<Step>, of graph: Graph) {
    guard !weights.isEmpty else { return }
    let nodes = steps.lazy.compactMap { if case .run(let node) = $0 { node } else { nil } }
    for node in nodes.prefix(2) {
      for value in graph.nodes[node].inputs { weights[value]?.prefetch() }
    }
  }

  /// Gives back what a node has read.
  func release(_ node: Node) {
    guard !weights.isEmpty else { return }
    for value in node.inputs { weights[value]?.release() }
  }
}
