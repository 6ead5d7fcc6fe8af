import Kernels
import NeuralGraph
import Tensors
import WeightStorage

/// How fast this machine computes a network and reads its weights, found by doing a little of both.
package struct SpeedTrial: Sendable {
  /// Of layers and attention, in the network's own arithmetic.
  package var multiplyAddsPerSecond: Double
  /// From the file that holds the weights, past the page cache.
  package var bytesPerSecond: Double

  private static let computing = Duration.milliseconds(600)
  private static let reading = Duration.milliseconds(600)
  private static let mostBytes = 96 << 20

  /// Takes about two seconds: the first nodes of the network, once for their weights to be there and once for their time,
  /// and some weights from its end.
  ///
  /// - Throws: as an executor does.
  package init(_ graph: Graph, _ plan: Plan, weights: NetworkWeights, pool: ThreadPool) throws {
    bytesPerSecond = try Self.storage(graph, plan, weights)
    let executor = try Executor(graph, plan, weights: weights, pool: pool)
    executor.update(
      Dictionary(
        uniqueKeysWithValues: graph.parameters.map {
          ($0.name, HostTensor(shape: graph.type($0.value).shape))
        }))
    var inputs: [String: HostTensor] = [:]
    for value in graph.nodes.flatMap(\.inputs) + plan.outputs.values {
      guard case .input(let name) = graph.origin(value) else { continue }
      let type = graph.type(value)
      // Numbers like those of an edit; indices have to be some.
      let scale: Float = type.element == .i32 ? 0 : 1e-3
      inputs[name] = HostTensor(
        shape: type.shape, values: (0..<type.count).map { Float(($0 &* 7919) % 2001 - 1000) * scale })
    }
    var nodes = Int.max
    var (sum, spent) = (0, Duration.zero)
    for isTimed in [false, true] {
      var count = 0
      sum = 0
      let (start, stalled) = (ContinuousClock.now, executor.traffic.stalled)
      executor.onNode = { _, _ in
        if count == nodes || !isTimed && ContinuousClock.now - start > Self.computing { throw Enough() }
        count += 1
      }
      executor.afterNode = { sum += $0.op.multiplyAdds($0.inputs.map(graph.type)) }
      do { _ = try executor.run([inputs]) } catch is Enough {}
      spent = ContinuousClock.now - start - (executor.traffic.stalled - stalled)
      nodes = count
    }
    multiplyAddsPerSecond = Double(sum) / max(spent.inSeconds, 1e-6)
  }

  private struct Enough: Error {}

  private static func storage(_ graph: Graph, _ plan: Plan, _ weights: NetworkWeights) throws -> Double {
    let pool = try ThreadPool(threads: 1)
    var bytes = 0
    var spent = Duration.zero
    var seen: Set<Value> = []
    for value in graph.nodes.reversed().flatMap(\.inputs) {
      guard spent < reading, bytes < mostBytes else { break }
      guard let weight = graph.weight(value), weight.role != .table, seen.insert(value).inserted else {
        continue
      }
      let stored = weights[weight]
      let count = graph.type(value).byteCount
      let reader = try WeightReader(
        graph, [value: stored], stagingBytes: WeightLoader.stagingBytes(weight, bytes: count))
      let place = try MemoryRegion(byteCount: count)
      stored.dropCache()
      let start = ContinuousClock.now
      try reader.read(value, to: place.address, pool)
      spent += ContinuousClock.now - start
      reader.finish()
      bytes += stored.byteCount
    }
    return Double(bytes) / max(spent.inSeconds, 1e-6)
  }
}

extension Duration {
  fileprivate var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
