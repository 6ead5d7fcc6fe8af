import Editing
import Kernels
import NeuralGraph
import Runtime
import StableDiffusion
import Tensors

/// A translation network whose every value is trained, for one working size, computing on a thread of its own.
///
/// The same definition as that of a trained one: its tensors are values of the run instead of a file's.
package actor TrainingTranslator: TrainableTranslator {
  private nonisolated let thread: NetworkThread
  private let executor: Executor
  package nonisolated let parameters: [(name: String, shape: [Int])]
  private let gradientNames: Set<String>
  /// Given so far.
  package private(set) var gradientCount = 0

  private static let gradientPrefix = "gradient."

  init(_ stage: Stage, pool: ThreadPool, on thread: NetworkThread) throws {
    self.thread = thread
    executor = try Executor(stage.graph, stage.plan, weights: stage.weights, pool: pool)
    parameters = stage.graph.parameters.map { ($0.name, stage.graph.type($0.value).shape) }
    gradientNames = Set(stage.plan.outputs.keys.filter { $0.hasPrefix(Self.gradientPrefix) })
  }

  /// A network alone, on a thread of its own.
  package init(
    _ configuration: TranslationConfiguration, of model: Model, height: Int, width: Int, threads: Int
  ) throws {
    let stage = try Self.stage(
      TranslationNetwork(configuration), height: height, width: width, threads: threads,
      weights: model.components[0].weights)
    try self.init(stage, pool: ThreadPool(threads: threads), on: NetworkThread())
  }

  package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  package func update(_ values: [String: HostTensor]) { executor.update(values) }

  package func translate(_ latent: Latent, task: Int) throws -> Latent {
    Latent(try executor.run([inputs(latent, task)], only: ["out"])[0]["out"]!)
  }

  /// Of the rows of `task.weight`, that of the task alone has a gradient.
  package func gradients(_ latent: Latent, task: Int, seed: Latent) throws -> [String: HostTensor] {
    var inputs = inputs(latent, task)
    inputs["seed"] = seed.tensor
    let found = try executor.run([inputs], only: gradientNames)[0]
    gradientCount += 1
    return Dictionary(
      uniqueKeysWithValues: found.map { (String($0.key.dropFirst(Self.gradientPrefix.count)), $0.value) })
  }

  private func inputs(_ latent: Latent, _ task: Int) -> [String: HostTensor] {
    ["latent": latent.tensor, "task": HostTensor(shape: [1], values: [Float(task)])]
  }

  /// The network, its translation and the gradients of all its values, planned for latents of a size.
  ///
  /// - Parameter weights: of any network; nothing is read from them.
  static func stage(
    _ network: TranslationNetwork, height: Int, width: Int, threads: Int, weights: NetworkWeights
  ) throws -> Stage {
    let builder = GraphBuilder(trained: .all)
    let g = builder.root
    let values = try network.define(height: height, width: width, g)
    builder.beginBlock()
    let seed = g.input("seed", g.type(values.out))
    let trained = builder.graph.parameters
    let gradients = try g.gradient(of: values.out, seed: seed, wrt: trained.map(\.value))
    var outputs = ["out": values.out]
    for (parameter, gradient) in zip(trained, gradients) {
      outputs[gradientPrefix + parameter.name] = gradient
    }
    let plan = try Planner(threads: threads, budget: nil, lanes: 1) { _ in false }
      .plan(builder.graph, keep: outputs)
    return Stage(name: "train", graph: builder.graph, plan: plan, weights: weights, gradient: nil)
  }
}

extension TranslationConfiguration {
  /// What training begins with: weights are normal with deviation 1/√(3·inputs), as wide as those that PyTorch draws, the
  /// tasks with 1; scales are one and shifts zero; the last layer is zero, so that nothing is translated.
  ///
  /// Draws: one for every tensor that is drawn, in the order of the names.
  package func initialValues(
    _ parameters: [(name: String, shape: [Int])], tape: any NoiseTape
  ) throws -> [String: HostTensor] {
    var values: [String: HostTensor] = [:]
    for (draw, (name, shape)) in parameters.sorted(by: { $0.name < $1.name }).enumerated() {
      var value = HostTensor(shape: shape)
      let isNorm = name.split(separator: ".").contains { $0.hasPrefix("gn_") }
      let isBias = name.hasSuffix(".bias")
      if isNorm {
        if !isBias { value.values = value.values.map { _ in 1 } }
      } else if !name.hasPrefix("conv_out."), !isBias {
        let noise = try tape.normal(draw, count: 1, height: 1, width: value.count, channels: 1)[0].values
        let inputs = shape.dropFirst().reduce(1, *)
        let deviation = name == "task.weight" ? 1 : 1 / Double(3 * inputs).squareRoot()
        value.values = noise.map { Float(Double($0) * deviation) }
      }
      values[name] = value
    }
    return values
  }
}
