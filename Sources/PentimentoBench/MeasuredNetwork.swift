import Kernels
import NeuralGraph
import Pentimento
import Runtime
import Tensors

/// One network of a model at one size, opened, with made-up inputs; says what its operators cost.
final class MeasuredNetwork {
  enum Kind: String, CaseIterable {
    case unet, decoder, encoder, text
    /// The noise network, forward and backward, to the context.
    case gradient
  }

  /// What operators of one class cost in a run.
  struct Cost {
    var seconds = 0.0, products = 0, nodes = 0
  }

  struct Run {
    var seconds: Double
    var costs: [OperatorClass: Cost]
    /// Of multiply-adds of all operators.
    var products: Int { costs.values.reduce(0) { $0 + $1.products } }
    /// Between the operators: inputs, outputs, weights that are fetched.
    var outside: Double { seconds - costs.values.reduce(0) { $0 + $1.seconds } }
  }

  private let executor: Executor
  private let queries: [[String: HostTensor]]
  private let outputs: Set<String>?

  /// Loads the weights that stay.
  ///
  /// - Parameters:
  ///   - size: of a square picture, in pixels.
  ///   - batch: queries of one run.
  ///   - budget: bytes for the stage, nil for no limit.
  /// - Throws: `RequestError.overBudget`, `WeightFileError`.
  init(
    _ kind: Kind, of model: Model, size: Int, batch: Int, budget: Int? = nil, _ pool: ThreadPool
  ) throws {
    let stages = Stages(model: model, threads: pool.threads, budget: budget)
    let stage =
      switch kind {
      case .unet: try stages.noise(width: size, height: size)
      case .gradient: try stages.noise(width: size, height: size, keeping: .contextGradient)
      case .decoder: try stages.decoder(width: size, height: size)
      case .encoder: try stages.encoder(width: size, height: size)
      case .text: try stages.textEncoder(0)
      }
    executor = try Executor(stage.graph, stage.plan, weights: stage.weights, pool: pool)
    queries = Array(repeating: Self.inputs(of: stage.graph), count: batch)
    outputs = kind == .unet ? ["out"] : nil
  }

  /// Answers all queries once.
  func run() throws -> Run {
    var (costs, started) = ([OperatorClass: Cost](), 0.0)
    var seen: (node: [TensorType], kind: OperatorClass)?
    executor.onNode = { node, inputs in
      let types = inputs.map(\.type)
      seen = (types, OperatorClass(node.op, types))
      started = Timing.now()
    }
    executor.afterNode = { node in
      let seconds = Timing.now() - started
      guard let (types, kind) = seen else { return }
      costs[kind, default: Cost()].seconds += seconds
      costs[kind]!.products += node.op.multiplyAdds(types)
      costs[kind]!.nodes += 1
    }
    let start = Timing.now()
    _ = try executor.run(queries, only: outputs)
    return Run(seconds: Timing.now() - start, costs: costs)
  }

  /// Answers all queries once, with nothing in between: seconds.
  func time() throws -> Double {
    (executor.onNode, executor.afterNode) = (nil, nil)
    let start = Timing.now()
    _ = try executor.run(queries, only: outputs)
    return Timing.now() - start
  }

  private static func inputs(of graph: Graph) -> [String: HostTensor] {
    var inputs: [String: HostTensor] = [:]
    for value in graph.nodes.flatMap(\.inputs) {
      guard case .input(let name) = graph.origin(value), inputs[name] == nil else { continue }
      let type = graph.type(value)
      let isIDs = type.element == .i32
      let values = (0..<type.count).map { i -> Float in
        let mixed = i * 7919
        return isIDs ? Float(mixed % 49000) : Float(mixed % 2001) / 1000 - 1
      }
      inputs[name] = HostTensor(shape: type.shape, values: values)
    }
    return inputs
  }
}
