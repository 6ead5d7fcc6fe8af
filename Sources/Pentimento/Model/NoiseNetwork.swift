import Editing
import Kernels
import NeuralGraph
import Packing
import Runtime
import StableDiffusion
import Tensors

/// The model's UNet as a noise predictor for one working size, computing on a thread of its own.
///
/// Owns the memory of its stage from the moment it is made to the moment it is let go. A stage with attention
/// maps answers queries that ask for them; those that do not cost what they cost without. So do predictions of a stage
/// that keeps gradients; its arithmetic is that of the gradients.
package actor NoiseNetwork: NoisePredictor {
  private nonisolated let thread: NetworkThread
  let executor: Executor
  /// Names of the maps that the stage keeps, one for each layer.
  private let maps: [String]
  /// Trained values, in the network's order.
  package nonisolated let parameters: [(name: String, shape: [Int])]
  private let configuration: UNetConfiguration
  private let schedule: NoiseSchedule
  /// What the weights are called in errors.
  private let label: String
  /// The LoRA files over the model.
  private let adapters: [String]
  /// Latents stay within a few units; one this large, left by too much guidance, may overflow in sound weights.
  private static let ordinary: Float = 1000
  private let onEvaluation: @Sendable (NetworkWork) -> Void
  /// What it will do in all; nil where nobody knows.
  private let expected: NetworkWork?
  /// Done so far.
  package private(set) var work = NetworkWork()

  /// - Parameters:
  ///   - expected: what it will do in all: behind the last evaluation nothing is read ahead.
  ///   - onEvaluation: told what was done, whenever something was.
  init(
    _ stage: Stage, model: Model, pool: ThreadPool, on thread: NetworkThread,
    expecting expected: NetworkWork? = nil,
    onEvaluation: @escaping @Sendable (NetworkWork) -> Void = { _ in }
  ) throws {
    self.thread = thread
    executor = try NetworkShelf.executor(of: stage, pool)
    maps = stage.plan.outputs.keys.filter { $0.hasPrefix(DenoisingNetwork.attentionPrefix) }.sorted()
    parameters = stage.graph.parameters.map { ($0.name, stage.graph.type($0.value).shape) }
    configuration = model.unet.configuration
    schedule = model.schedule
    (label, adapters) = (stage.weights.label, model.adapters)
    (self.expected, self.onEvaluation) = (expected, onEvaluation)
  }

  /// Behind the last query: the network may stay open for a run that follows.
  func putBack(_ stage: Stage) { NetworkShelf.keep(executor, of: stage) }

  /// What reading streamed weights has taken so far.
  package var traffic: WeightTraffic { executor.traffic }

  /// Whether there is more to do behind so many evaluations.
  private func goesOn(behind evaluations: Int) -> Bool {
    expected.map { work.evaluations + evaluations < $0.evaluations } ?? true
  }

  package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  /// - Throws: `CancellationError` at the latest after one operator, `WeightFileError` if streamed weights cannot
  ///   be read, `ModelError.notFinite` if damaged weights make NaN of an ordinary latent.
  package func predict(_ queries: [NoiseQuery]) async throws -> [NoisePrediction] {
    var answers: [NoisePrediction] = []
    let lanes = executor.plan.lanes
    try checkTold(queries)
    for start in stride(from: 0, to: queries.count, by: lanes) {
      try Task.checkCancellation()
      let group = queries[start..<min(start + lanes, queries.count)]
      let readsMaps = !maps.isEmpty && group.contains(where: \.wantsAttention)
      let results = try executor.run(
        group.map(configuration.inputs), only: readsMaps ? Set(maps + ["out"]) : ["out"],
        goesOn: goesOn(behind: group.count))
      for (query, result) in zip(group, results) {
        let noise = epsilon(Latent(result["out"]!), query)
        guard noise.isFinite || !query.latent.isWithin(Self.ordinary) else { throw try notFinite(query) }
        answers.append(
          NoisePrediction(
            noise: noise,
            attention: readsMaps && query.wantsAttention ? attention(result, query) : nil))
      }
      work.evaluations += group.count
      onEvaluation(work)
    }
    return answers
  }

  /// Loss and gradients of one query.
  ///
  /// - Parameter targets: `context`, or names of trained values.
  /// - Precondition: the stage keeps their gradients.
  func differentiate(
    _ query: NoiseQuery, _ loss: SquaredLoss, by targets: [String]
  ) throws -> (loss: Double, gradients: [String: HostTensor]) {
    let names = targets.map { DenoisingNetwork.gradientPrefix + $0 }
    let inputs = configuration.inputs(query).merging(loss.inputs) { _, new in new }
    let result = try executor.run(
      [inputs], only: Set(names + [DenoisingNetwork.loss]), goesOn: goesOn(behind: 1))[0]
    // Of a sound answer it is for those who use the gradient to say what was too much for it.
    if !result.values.allSatisfy(\.isFinite),
      try !executor.run([inputs], only: ["out"])[0]["out"]!.isFinite
    {
      throw try notFinite(query)
    }
    work.evaluations += 1
    work.gradients += 1
    onEvaluation(work)
    return (
      Double(result[DenoisingNetwork.loss]!.values[0]),
      Dictionary(uniqueKeysWithValues: zip(targets, names.map { result[$0]! }))
    )
  }

  /// - Throws: `EditError.guidanceNotHeard` where a network is told what it cannot hear.
  private func checkTold(_ queries: [NoiseQuery]) throws {
    guard configuration.guidanceSinusoid == nil, queries.contains(where: { $0.toldGuidance != nil }) else {
      return
    }
    throw EditError.guidanceNotHeard
  }

  /// What made numbers that are none: the side branches, if the network is sound without them.
  private func notFinite(_ query: NoiseQuery) throws -> any Error {
    var plain = query
    plain.adapterScale = 0
    guard !adapters.isEmpty, query.adapterScale != 0,
      try executor.run([configuration.inputs(plain)], only: ["out"])[0]["out"]!.isFinite
    else { return ModelError.notFinite(part: label) }
    return LoRAError.overflow(files: adapters)
  }

  /// Raw outputs of one query with every value that was kept.
  ///
  /// - Parameter seed: of a seeded gradient, `[h, w, 4]`.
  package func values(_ query: NoiseQuery, seed: HostTensor? = nil) async throws -> [String: HostTensor] {
    var inputs = configuration.inputs(query)
    inputs[DenoisingNetwork.seed] = seed
    return try executor.run([inputs])[0]
  }

  /// The mean over the layers: `[h/4, w/4, tokens]`.
  private func attention(_ result: [String: HostTensor], _ query: NoiseQuery) -> HostTensor {
    let layers = maps.map { result[$0]! }
    let mean = layers[0].values.indices.map { i in
      Float(layers.reduce(0) { $0 + Double($1.values[i]) } / Double(layers.count))
    }
    return HostTensor(
      shape: [query.latent.height / 4, query.latent.width / 4, layers[0].shape[1]], values: mean)
  }

  private func epsilon(_ output: Latent, _ query: NoiseQuery) -> Latent {
    schedule.epsilon(
      fromOutput: output, at: query.latent,
      alphaBar: query.levelAlphaBar ?? schedule.alphaBar(query.timestep))
  }
}

/// What a noise network has done.
package struct NetworkWork: Sendable, Hashable {
  /// Queries answered, those whose gradient was asked for among them.
  package var evaluations = 0
  /// Losses with their gradients.
  package var gradients = 0

  package var total: Int { evaluations + gradients }
}

extension UNetConfiguration {
  /// A query as the graph's inputs; those that a graph does not have are not looked at.
  func inputs(_ query: NoiseQuery) -> [String: HostTensor] {
    let condition = query.condition
    var inputs = [
      "latent": query.latent.tensor, "context": condition.context,
      "timestep_sinusoid": timestepSinusoid(timestep: query.timestep),
      Adapter.scaleName: HostTensor(shape: [1], values: [Float(query.adapterScale)]),
    ]
    inputs["guidance_sinusoid"] = guidance(query.toldGuidance)
    inputs["pooled"] = condition.pooled
    if let ids = condition.timeIDs, let sinusoid = timeIDSinusoid {
      inputs["time_ids_sinusoid"] = sinusoid(ids.values.map(Double.init))
    }
    return inputs
  }
}
