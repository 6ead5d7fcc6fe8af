import Kernels
import NeuralGraph
import Tensors

/// A case in memory of its own, run node by node: every operator gets exactly the scratch that it asked for, everything
/// is poisoned, and nothing may be written behind its end.
package final class OperatorRun {
  package let graph: Graph
  package let output: Value
  /// ∂⟨output, dy⟩/∂operand by the operand's name.
  package private(set) var gradients: [String: Value] = [:]
  /// What the operators compute with, exactly: rounded to halves, or dequantized.
  package private(set) var numbers: Numbers
  /// dy, of the output's shape; empty without gradients.
  package private(set) var seed: [Double] = []
  private let pool: ThreadPool
  private var memory: [Value: Memory] = [:]
  private var scratch: [Memory] = []

  /// - Parameter wanted: the operands to differentiate by.
  /// - Throws: `GraphError`
  package init(
    _ subject: OperatorCase, stored storage: Storage, gradientsOf wanted: [String] = [], _ pool: ThreadPool
  ) throws {
    self.pool = pool
    let matrices = Set(subject.operands.filter(\.isMatrix).map(\.name))
    var lowering = Lowering()
    (lowering.keepsFloats, lowering.differentiates) = (storage.keepsFloats, storage.keepsFloats)
    // What has a form for that is emitted in it.
    lowering.recomputed = [0]
    let builder = GraphBuilder(
      adapters: subject.adapters, trained: storage.isTrained ? .all : .none, lowering: lowering
    ) {
      matrices.contains($0)
        ? WeightFormat(
          storage.element, rotation: storage.rotation, activations: storage.isWide ? .sixteen : .eight)
        : WeightFormat(.f32)
    }
    let root = builder.root

    let shapes = Dictionary(uniqueKeysWithValues: subject.operands.map { ($0.name, $0.shape) })
    var operands = Operands(values: [:])
    for operand in subject.operands where operand.name != Adapter.scaleName {
      switch operand.role {
      case .input: operands.values[operand.name] = root.input(operand.name, TensorType(operand.shape))
      case .indices:
        operands.values[operand.name] = root.input(operand.name, TensorType(operand.shape, element: .i32))
      case .weight: break
      }
    }
    output = try subject.build(root, operands)
    var numbers = Numbers(values: [:], shapes: shapes)
    let stored = subject.operands.enumerated().map { index, operand in
      StoredOperand(operand, storage, seed: UInt64(index + 1), pool)
    }
    for (operand, stored) in zip(subject.operands, stored) { numbers.values[operand.name] = stored.numbers }
    self.numbers = numbers

    if !wanted.isEmpty {
      let type = builder.graph.type(output)
      let dy = root.input("dy", type)
      let targets = try wanted.map { name in try Self.value(of: name, in: builder.graph).orThrow(name) }
      for (name, value) in zip(wanted, try root.gradient(of: output, seed: dy, wrt: targets)) {
        gradients[name] = value
      }
      seed = randomFloats(type.count, seed: 99).map(Double.init)
    }
    graph = builder.graph

    // A gradient may be dy itself.
    for value in Set(graph.nodes.flatMap { $0.inputs + $0.outputs } + gradients.values) {
      memory[value] = Memory(graph.type(value).byteCount)
    }
    for (operand, stored) in zip(subject.operands, stored) {
      for value in memory.keys { stored.write(value, of: graph, operand, into: memory[value]!) }
    }
    for (value, place) in memory where graph.origin(value) == .input("dy") {
      place.write(seed.map { Float($0) })
    }
    scratch = graph.nodes.map { node in
      Memory(node.op.scratchBytes(node.inputs.map(graph.type), threads: pool.threads))
    }
  }

  package func run() { for index in graph.nodes.indices { run(node: index) } }

  package func run(node index: Int) {
    let node = graph.nodes[index]
    node.op.run(
      OpIO(
        inputs: node.inputs.map { TensorRef(graph.type($0), at: memory[$0]!.address) },
        outputs: node.outputs.map { TensorRef(graph.type($0), at: memory[$0]!.address) },
        scratch: scratch[index].address, pool: pool))
  }

  /// FNV-1a, 64 bits, of all that an operator wrote.
  package func digest(node index: Int) -> UInt64 {
    graph.nodes[index].outputs.reduce(0xcbf2_9ce4_8422_2325) { digest, value in
      memory[value]!.bytes.reduce(digest) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
  }

  /// A plain value after a run.
  package func floats(_ value: Value) -> [Float] {
    let count = graph.type(value).count
    return Array(
      UnsafeBufferPointer(start: memory[value]!.address.assumingMemoryBound(to: Float.self), count: count))
  }

  /// The kinds of a graph's operators: the names of their types.
  package var kinds: [String] { graph.nodes.map { "\(type(of: $0.op))" } }

  private static func value(of name: String, in graph: Graph) -> Value? {
    let place = graph.origins.firstIndex {
      switch $0 {
      case .input(name), .parameter(name): true
      case .weight(let weight): weight.name == name
      default: false
      }
    }
    guard let place else { return nil }
    return graph.nodes.lazy.flatMap { $0.inputs }.first { $0.id == place }
  }
}

extension Optional {
  fileprivate func orThrow(_ name: String) throws -> Wrapped {
    guard let self else { throw UnknownOperand(name: name) }
    return self
  }
}

package struct UnknownOperand: Error { var name: String }

/// Aligned bytes full of a pattern, and 64 of it behind them that must stay.
final class Memory {
  let address: UnsafeMutableRawPointer
  private let count: Int
  private static let pattern: UInt8 = 0x7f

  init(_ count: Int) {
    self.count = count
    address = .allocate(byteCount: count + 64, alignment: 64)
    address.initializeMemory(as: UInt8.self, repeating: Self.pattern, count: count + 64)
  }

  deinit {
    for i in count..<count + 64 {
      precondition(address.load(fromByteOffset: i, as: UInt8.self) == Self.pattern, "written behind \(count)")
    }
    address.deallocate()
  }

  var bytes: UnsafeMutableRawBufferPointer { UnsafeMutableRawBufferPointer(start: address, count: count) }

  func write<T>(_ values: [T]) {
    precondition(values.count * MemoryLayout<T>.stride == count)
    values.withUnsafeBytes { bytes.copyMemory(from: $0) }
  }
}
