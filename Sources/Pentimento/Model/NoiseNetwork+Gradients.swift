import Editing
import Runtime
import StableDiffusion
import Tensors

extension NoiseNetwork {
  /// Of weights that were fetched for a node, bytes so far.
  package var streamedBytes: Int { executor.streamedBytes }
}

/// Gradients, of a stage that keeps them. Forward and backward pass are one run.
extension NoiseNetwork: NoiseDerivative {
  /// - Returns: numbers that are none where the loss or the gradient overflow though the weights are sound.
  /// - Throws: as `predict`.
  package func contextGradient(
    _ query: NoiseQuery, of loss: SquaredLoss
  ) async throws -> (loss: Double, gradient: HostTensor) {
    let found = try differentiate(query, loss, by: ["context"])
    return (found.loss, found.gradients["context"]!)
  }
}

extension NoiseNetwork: TrainableNoisePredictor {
  package func update(_ values: [String: HostTensor]) async throws { executor.update(values) }

  /// - Throws: as `contextGradient`.
  package func gradients(
    _ query: NoiseQuery, of loss: SquaredLoss
  ) async throws -> (loss: Double, gradients: [String: HostTensor]) {
    try differentiate(query, loss, by: parameters.map(\.name))
  }
}

extension SquaredLoss {
  /// The loss as the graph's inputs.
  var inputs: [String: HostTensor] {
    [
      DenoisingNetwork.lossBase: base.tensor,
      DenoisingNetwork.lossScale: HostTensor(shape: [1], values: [Float(scale)]),
      DenoisingNetwork.lossWeight: HostTensor(shape: [1], values: [Float(weight)]),
    ]
  }
}
