import Editing
import Kernels
import Runtime
import StableDiffusion
import Tensors

/// The noise network with its gradients, for those who measure it alone: a made-up latent under a made-up text.
package struct GradientTrial: Sendable {
  private let model: Model
  private let stage: Stage
  private let query: NoiseQuery
  private let threads: Int
  private let trains: Bool

  /// - Parameters:
  ///   - budget: bytes for the stage, nil for no limit.
  ///   - trains: whether gradients are by the model's trained values; by the context otherwise.
  /// - Throws: `RequestError.overBudget`.
  package init(_ model: Model, size: Int, threads: Int, budget: Int?, trains: Bool) throws {
    (self.model, self.threads, self.trains) = (model, threads, trains)
    stage = try Stages(model: model, threads: threads, budget: budget).noise(
      width: size, height: size, keeping: trains ? .parameterGradients : .contextGradient)
    let configuration = model.unet.configuration
    let side = size / model.pixelsPerLatent
    func tensor(_ shape: [Int]) -> HostTensor {
      HostTensor(shape: shape, values: (0..<shape.reduce(1, *)).map { Float(($0 * 7919) % 2001) / 1000 - 1 })
    }
    let condition = Condition(
      context: tensor([model.tokens, configuration.contextWidth]),
      pooled: configuration.added.map { tensor([1, $0.pooledWidth]) },
      timeIDs: configuration.added.map { _ in
        HostTensor(shape: [1, 6], values: [size, size, 0, 0, size, size].map(Float.init))
      })
    let channels = UNetConfiguration.latentChannels
    query = NoiseQuery(Latent(tensor([side, side, channels])), timestep: 500, condition)
  }

  package var plan: MemoryPlan.Stage {
    MemoryPlan.Stage("denoise", stage, stored: 0)
  }

  /// Loads the weights that stay; trained values are small.
  package func open() async throws -> NoiseNetwork {
    let network = try NoiseNetwork(
      stage, model: model, pool: ThreadPool(threads: threads), on: NetworkThread())
    try await network.update(
      Dictionary(
        uniqueKeysWithValues: network.parameters.map { name, shape in
          (name, HostTensor(shape: shape, values: (0..<shape.reduce(1, *)).map { Float($0 % 13) / 1000 }))
        }))
    return network
  }

  package func predict(_ network: NoiseNetwork) async throws { _ = try await network.predict([query]) }

  package func differentiate(_ network: NoiseNetwork) async throws {
    let base = query.latent
    let loss = SquaredLoss(scale: 1, base: base, weight: 1 / Double(base.values.count))
    if trains {
      _ = try await network.gradients(query, of: loss)
    } else {
      _ = try await network.contextGradient(query, of: loss)
    }
  }
}
