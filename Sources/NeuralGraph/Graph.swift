import Tensors

/// The name of one tensor in a graph: assigned once, never reused.
package struct Value: Hashable, Sendable {
  package let id: Int
}

/// Where a value comes from.
package enum Origin: Hashable, Sendable {
  /// Given by the caller of a run.
  case input(String)
  /// Read from the checkpoint.
  case weight(Weight)
  /// A value that changes between runs and is the same for all lanes of one: what is trained. Plain f32.
  case parameter(String)
  /// Output of the node with this index.
  case node(Int)
  /// Computed line by line wherever something reads it (`LinePipeline`); nowhere in memory.
  case lines
}

/// One operator applied to values. Inputs are defined before the node, outputs by it.
package struct Node: Sendable {
  package var op: any Op
  package var inputs: [Value]
  package var outputs: [Value]
  /// The unit of recomputation that the node belongs to; numbered in order of emission.
  package var block: Int
}

/// One network for one picture size: nodes in an order in which they can run. A value: built once by a
/// `GraphBuilder`, then only read.
package struct Graph: Sendable {
  package internal(set) var types: [TensorType] = []
  package internal(set) var origins: [Origin] = []
  package internal(set) var nodes: [Node] = []
  /// Values that the network's author named, for parity with other implementations.
  package internal(set) var taps: [String: Value] = [:]

  package func type(_ value: Value) -> TensorType { types[value.id] }
  package func origin(_ value: Value) -> Origin { origins[value.id] }

  /// The checkpoint tensor behind a value, if it is one.
  package func weight(_ value: Value) -> Weight? {
    if case .weight(let weight) = origins[value.id] { weight } else { nil }
  }

  /// The name of a trained value, if it is one.
  package func parameter(_ value: Value) -> String? {
    if case .parameter(let name) = origins[value.id] { name } else { nil }
  }

  /// Every trained value, in order of definition.
  package var parameters: [(name: String, value: Value)] {
    origins.enumerated().compactMap { id, origin in
      if case .parameter(let name) = origin { (name, Value(id: id)) } else { nil }
    }
  }

  /// Every weight that the graph reads, in order of definition.
  package var weights: [Weight] {
    origins.compactMap { if case .weight(let weight) = $0 { weight } else { nil } }
  }
}

/// What only a wrong network definition can cause: shapes that do not meet, or a gradient nobody wrote.
package enum GraphError: Error, Equatable {
  case shape(op: String, got: [TensorType])
  case notDifferentiable(op: String, input: String)
  /// A gradient would have to arrive at what an operator keeps for its backward pass.
  case gradientOfStatistic(op: String, output: String)
}
