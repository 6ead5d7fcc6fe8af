import Tensors

/// A squared error as a function of the network's raw output o, noise or velocity:
///
///     L = weight·Σ (scale·o + base)²
///
/// What is compared with the output, a target or the next state of a trajectory, lies in `base`.
public struct SquaredLoss: Sendable {
  public var scale: Double
  public var base: Latent
  public var weight: Double

  public init(scale: Double, base: Latent, weight: Double) {
    (self.scale, self.base, self.weight) = (scale, base, weight)
  }
}

/// A noise predictor that can be differentiated by what it is told. A gradient counts as an evaluation too.
public protocol NoiseDerivative: Sendable {
  /// L at a query, and ∂L/∂context, `[tokens, width]`, of the query's condition.
  func contextGradient(
    _ query: NoiseQuery, of loss: SquaredLoss
  ) async throws -> (loss: Double, gradient: HostTensor)
}

/// A network some of whose values are trained.
public protocol Trainable: Sendable {
  /// Names and shapes of these values, in the network's order.
  var parameters: [(name: String, shape: [Int])] { get }
  /// Replaces values; those that are not named stay.
  func update(_ values: [String: HostTensor]) async throws
}

/// A noise predictor that is being trained, with the values it has at the time.
public protocol TrainableNoisePredictor: Trainable {
  /// L at a query, and ∂L/∂θ by name.
  func gradients(
    _ query: NoiseQuery, of loss: SquaredLoss
  ) async throws -> (loss: Double, gradients: [String: HostTensor])
}

/// A translation network: a latent to an edited latent in one pass (Hertz et al. 2023, section 5).
public protocol LatentTranslator: Sendable {
  /// - Parameter task: the place of its pair of prompts in the training's list.
  func translate(_ latent: Latent, task: Int) async throws -> Latent
}

/// A translation network that is being trained.
public protocol TrainableTranslator: Trainable, LatentTranslator {
  /// ∂L/∂θ by name.
  ///
  /// - Parameter seed: ∂L/∂(the translated latent).
  func gradients(_ latent: Latent, task: Int, seed: Latent) async throws -> [String: HostTensor]
}
