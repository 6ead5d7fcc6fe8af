import NeuralGraph

/// When values are alive, in positions of the order of execution.
struct Lifetimes {
  private(set) var spans: [Value: ClosedRange<Int>] = [:]
  /// Inputs that begin within the memory of an output, so many bytes behind its start.
  var under: [Value: (input: Value, distance: Int)] = [:]

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
  /// Where an input of another size may begin within an output (`Op.overlay`), it is `under` that.
  mutating func overwrite(in graph: Graph, _ order: [Int]) -> [Value: Value] {
    var places: [Value: Value] = [:]
    for (time, index) in order.enumerated() {
      let node = graph.nodes[index]
      let written = node.op.overwritten(of: node.inputs.count).map { Overlay(input: $0, distance: 0) }
      guard let overlay = written ?? node.op.overlay else { continue }
      let (input, output) = (node.inputs[overlay.input], node.outputs[0])
      guard !graph.isHeld(input), node.inputs.filter({ $0 == input }).count == 1 else { continue }
      let first = places[input] ?? input
      guard spans[first]!.upperBound == time else { continue }
      if overlay.distance == 0, graph.type(input).byteCount == graph.type(output).byteCount {
        places[output] = first
        spans[first] = spans[first]!.lowerBound...spans[output]!.upperBound
        spans[output] = nil
      } else if written == nil {
        under[output] = (first, overlay.distance.aligned)
      }
    }
    return places
  }

  /// The places that are given together: the values with spans, each but the last of its chain at a distance from another.
  func blocks(of graph: Graph) -> [Block] {
    let within = Set(under.values.map(\.input))
    return spans.keys.filter { !within.contains($0) }.map { value in
      var block = Block(value: value, parts: [])
      var (next, offset): (Value?, Int) = (value, 0)
      while let value = next {
        block.parts.append(
          Block.Part(value: value, offset: offset, bytes: graph.type(value).byteCount, alive: spans[value]!))
        next = under[value]?.input
        offset += under[value]?.distance ?? 0
      }
      return block
    }
  }
}

/// Values at fixed distances from one another, the first at the front.
struct Block {
  struct Part {
    var value: Value
    var offset: Int
    var bytes: Int
    var alive: ClosedRange<Int>
  }

  var value: Value
  var parts: [Part]
  /// Bytes of the largest part.
  var largest: Int { parts.map(\.bytes).max()! }
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
  /// Where every value begins.
  private(set) var offsets: [Value: Int] = [:]

  /// The largest first.
  init(of blocks: [Block]) {
    for block in blocks.sorted(by: { ($0.largest, $1.value.id) > ($1.largest, $0.value.id) }) {
      let start = place(block)
      for part in block.parts { offsets[part.value] = start + part.offset }
    }
  }

  /// The lowest start at which every part of a block is alone while it is alive; of a block of one part, that of the
  /// smallest gap which fits.
  private mutating func place(_ block: Block) -> Int {
    guard block.parts.count > 1 else {
      return place(bytes: block.parts[0].bytes, alive: block.parts[0].alive)
    }
    let parts = block.parts.map { part in
      (alive: part.alive, bytes: part.offset..<part.offset + max(part.bytes, 1).aligned)
    }
    // Nothing is gained between two ends of what is there.
    let starts = parts.flatMap { part in
      placed.filter { $0.alive.overlaps(part.alive) }.map { $0.bytes.upperBound - part.bytes.lowerBound }
    }
    let start = ([0] + starts.filter { $0 > 0 }.sorted()).first { start in
      parts.allSatisfy { part in
        let bytes = start + part.bytes.lowerBound..<start + part.bytes.upperBound
        return placed.allSatisfy { !$0.alive.overlaps(part.alive) || !$0.bytes.overlaps(bytes) }
      }
    }!
    for part in parts {
      insert((part.alive, start + part.bytes.lowerBound..<start + part.bytes.upperBound))
      extent = max(extent, start + part.bytes.upperBound)
    }
    return start
  }

  /// The start of the smallest gap that fits, the lowest of equals.
  private mutating func place(bytes: Int, alive: ClosedRange<Int>) -> Int {
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
