import Kernels
import NeuralGraph
import WeightStorage

/// The weights of a plan that stay in memory, used where their file is mapped or else from a copy. Where memory becomes
/// scarce some give way, and are brought again for the nodes that read them.
final class ResidentWeights {
  private let graph: Graph
  private let plan: Plan
  private let pool: ThreadPool
  /// Where the plan's weights are stored, streamed ones too.
  private let stored: [Value: StoredWeight]
  private let mapped: [Value: UnsafeMutableRawPointer]
  private let copies: MemoryRegion
  private var onDemand = WeightsOnDemand()
  /// Reads copies that were given back.
  private var again: WeightReader?

  /// Bytes that were given back under pressure.
  var yieldedBytes: Int { onDemand.byteCount }

  /// Loads what is to be copied, and asks for what is mapped.
  ///
  /// - Throws: `SystemRefusal.memory`; `WeightFileError` where the checkpoint cannot be read.
  init(
    _ graph: Graph, _ plan: Plan, _ stored: [Value: StoredWeight], _ reader: WeightReader, pool: ThreadPool
  ) throws {
    (self.graph, self.plan, self.stored, self.pool) = (graph, plan, stored, pool)
    var mapped: [Value: UnsafeMutableRawPointer] = [:]
    var read: [(value: Value, offset: Int)] = []
    for (value, offset) in plan.residentOffset.sorted(by: { $0.value < $1.value }) {
      guard let weight = stored[value] else { continue }
      if let address = weight.address {
        mapped[value] = address
        weight.prefetch()
      } else {
        read.append((value, offset))
      }
    }
    copies = try MemoryRegion(byteCount: read.isEmpty ? 0 : plan.residentBytes)
    self.mapped = mapped
    for (value, offset) in read { try reader.read(value, to: copies.address + offset, pool) }
    reader.finish()
  }

  deinit { releaseMapped() }

  /// Nil for a weight that is streamed.
  func address(of value: Value) -> UnsafeMutableRawPointer? {
    mapped[value] ?? plan.residentOffset[value].map { copies.address + $0 }
  }

  /// Gives all memory back: nothing is read any more.
  func giveBack() {
    copies.giveBack()
    releaseMapped()
  }

  private func releaseMapped() {
    for value in mapped.keys { stored[value]!.release() }
  }

  // MARK: Giving way

  /// Gives weights back where memory has become scarce. They are asked for by name from now on, one node ahead.
  ///
  /// - Parameter missing: how many bytes of what was planned cannot be had any more; asked now and then.
  func yield(_ missing: (() -> Int)?, atOnce: Bool = false) {
    guard let missing, onDemand.isDue(atOnce: atOnce) else { return }
    let wanted = missing()
    guard wanted > onDemand.byteCount else { return }
    // From the end of the network: what comes first is there already when the next pass begins.
    for (value, _) in plan.residentOffset.sorted(by: { $0.value > $1.value }) {
      guard wanted > onDemand.byteCount else { return }
      guard let weight = stored[value] else { continue }
      if mapped[value] != nil {
        onDemand.add(value, weight)
      } else {
        let place = placeOfCopy(value)
        onDemand.add(value, copyOf: place.count)
        copies.giveBack(place)
      }
    }
  }

  /// Brings what a node reads and has been given back, and asks for what the next one reads.
  ///
  /// - Parameter steps: from that of the node on.
  /// - Throws: `WeightFileError` where the checkpoint cannot be read any more.
  func bring(for node: Node, _ steps: ArraySlice<Step>) throws {
    onDemand.prefetch(for: steps, of: graph)
    for value in node.inputs where onDemand.isGone(value) {
      let reader = try again ?? WeightReader(graph, stored, stagingBytes: plan.stagingBytes)
      again = reader
      try reader.read(value, to: copies.address + plan.residentOffset[value]!, pool)
      reader.finish()
    }
  }

  /// Gives back what was brought for a node.
  func leave(_ node: Node) {
    onDemand.release(node)
    for value in node.inputs where onDemand.isGone(value) { copies.giveBack(placeOfCopy(value)) }
  }

  /// Bytes of a copy, in their region.
  private func placeOfCopy(_ value: Value) -> Range<Int> {
    let start = plan.residentOffset[value]!
    return start..<start + graph.type(value).byteCount
  }
}
