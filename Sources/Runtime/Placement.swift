import NeuralGraph

/// When values are alive, in positions of the order of execution.
struct Lifetimes {
  private(set) var spans: [Value: ClosedRange<Int>] = [:]

  /// A value lives from the node that defines it to the last that reads it, an input from the start, a kept
  /// value to the end.
  init(of graph: Graph, _ order: [Int], keep: Set<Value>) {
    for (time, index) in order.enumerated() {
      let node = graph.nodes[index]
      for value in node.inputs where !graph.isHeld(value) {
        spans[value] = (spans[value]?.lowerBound ?? 0)...time
      }
      for value in node.outputs { spans[value] = time...time }
    }
    for value in keep where !graph.isHeld(value) {
      spans[value] = (spans[value]?.lowerBound ?? 0)...order.count
    }
  }

  /// The values that lie where an input of their node lay, each with the value at the beginning of that chain, whose
  /// span then covers all of them. They have no spans of their own any more.
  mutating func overwrite(in graph: Graph, _ order: [Int]) -> [Value: Value] {
    var places: [Value: Value] = [:]
    for (time, index) in order.enumerated() {
      let node = graph.nodes[index]
      guard let input = node.op.overwritten(of: node.inputs.count).map({ node.inputs[$0] }), !graph.isHeld(input) else { continue }
      let (output, first) = (node.outputs[0], places[input] ?? input)
      guard spans[first]!.upperBound == time, node.inputs.filter({ $0 == input }).count == 1,
        graph.type(input).byteCount == graph.type(output).byteCount
      else { continue }
      places[output] = first
      spans[first] = spans[first]!.lowerBound...spans[output]!.upperBound
      spans[output] = nil
    }
    return places
  }
}

extension Graph {
  /// Whether a value outlives a run: a weight, or a trained value.
  func isHeld(_ value: Value) -> Bool {
    switch origin(value) {
    case .weight, .parameter: true
    case .input, .node, .lines: false
    }
  }
}

/// Blocks of memory placed so that no two that are alive at the same time overlap.
struct Placement {
  /// In order of their starts.
  private var placed: [(alive: ClosedRange<Int>, bytes: Range<Int>)] = []
  /// The end of the last block.
  private(set) var extent = 0

  /// The start of the smallest gap that fits, the lowest of equals.
  mutating func place(bytes: Int, alive: ClosedRange<Int>) -> Int {
    let size = max(bytes, 1).aligned
    var best: (offset: Int, gap: Int)?
    var end = 0
    for block in placed where block.alive.overlaps(alive) {
      let gap = block.bytes.lowerBound - end
      if gap >= size, gap < best?.gap ?? .max { best = (end, gap) }
      end = max(end, block.bytes.upperBound)
    }
    let offset = best?.offset ?? end
    insert((alive, offset..<offset + size))
    extent = max(extent, offset + size)
    return offset
  }

  private mutating func insert(_ block: (alive: ClosedRange<Int>, bytes: Range<Int>)) {
    var (low, high) = (0, placed.count)
    while low < high {
      let middle = (low + high) / 2
      if placed[middle].bytes.lowerBound <= block.bytes.lowerBound { low = middle + 1 } else { high = middle }
    }
    placed.insert(block, at: low)
  }
}
