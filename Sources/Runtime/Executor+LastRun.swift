import Tensors

extension Executor {
  /// A run of one query, the last: before its outputs are copied, all memory but theirs goes back to the system.
  package func runLast(_ query: [String: HostTensor]) throws -> [String: HostTensor] {
    let walk = walk(for: nil)
    write(query, for: walk, lane: 0)
    try take(walk, lanes: 1, goesOn: false)
    var end = 0
    let kept = walk.outputs.values.compactMap { value in
      plan.valueOffset[value].map { $0..<$0 + graph.type(value).byteCount }
    }
    for bytes in kept.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      if end < bytes.lowerBound { arena.giveBack(end..<bytes.lowerBound) }
      end = max(end, bytes.upperBound)
    }
    arena.giveBack(end..<arena.byteCount)
    scratch.giveBack()
    window.giveBack()
    resident.giveBack()
    return read(walk.outputs, lane: 0)
  }
}
