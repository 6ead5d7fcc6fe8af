import NeuralGraph
import Synchronization

/// The graphs of a component's networks: each is built once for a size, for what is kept of it, and for what is computed
/// again for a gradient.
final class GraphCache: Sendable {
  struct Key: Hashable {
    let network: String
    /// Nil where the graph does not depend on it.
    let size: NetworkSize?
    let kept: KeptValues
    let recomputed: Set<Int>
    let lines: LineLimits?
  }

  private struct State {
    /// The one that was used last is the last.
    var graphs: [(key: Key, graph: NetworkGraph)] = []
    var builds = 0
  }

  /// An edit takes one graph of each network; this is room for a few sizes at once. One of Stable Diffusion has about a
  /// thousand nodes and some hundred kilobytes.
  private static let capacity = 8
  private let state = Mutex(State())

  /// Graphs built so far.
  var builds: Int { state.withLock { $0.builds } }

  /// - Throws: what `build` throws; nothing is remembered then.
  func graph(_ key: Key, build: () throws -> NetworkGraph) throws -> NetworkGraph {
    // Whoever asks for the same graph meanwhile waits for it.
    try state.withLock { state in
      if let place = state.graphs.firstIndex(where: { $0.key == key }) {
        let known = state.graphs.remove(at: place)
        state.graphs.append(known)
        return known.graph
      }
      let graph = try build()
      state.builds += 1
      if state.graphs.count == Self.capacity { state.graphs.removeFirst() }
      state.graphs.append((key, graph))
      return graph
    }
  }
}
