import Tensors

/// Timesteps of a latent consistency model, and what its network's answer is worth at each (Luo et al. 2023).
///
///     origin   k·i − 1,   i = 1 … M,   k = ⌊1000/original⌋,   M = ⌊original·strength⌋
///     t_j      the origin from its noisy end, at ⌊j·M/N⌋,   j = 0 … N − 1
///
/// The last timestep only says what the network is told: the picture that it predicts there is the result.
package struct ConsistencyGrid: Sendable, Equatable {
  /// Solver steps that the published models were distilled with (`original_inference_steps`).
  package static let originalSteps = 50

  /// Descending.
  package let timesteps: [Int]

  /// - Parameter strength: part of the schedule that is run, from its clean end.
  /// - Throws: `EditError.gridTooFine` for more steps than that part was distilled with.
  package init(
    steps: Int, originalSteps: Int = ConsistencyGrid.originalSteps, strength: Double = 1
  ) throws(EditError) {
    let stride = NoiseSchedule.trainingSteps / originalSteps
    let origin = (1...originalSteps).prefix(transitions(strength, of: originalSteps)).map { stride * $0 - 1 }
    guard steps >= 1, steps <= origin.count else { throw .gridTooFine(steps: steps, limit: origin.count) }
    timesteps = (0..<steps).map { origin[origin.count - 1 - $0 * origin.count / steps] }
  }

  /// What makes a consistency function of a prediction, so that it is the identity at t = 0 (Song et al. 2023, eq. 5):
  ///
  ///     f(x, t) = c_skip·x + c_out·x̂₀,   c_skip = ¼/((10·t)² + ¼),   c_out = 10·t/√((10·t)² + ¼)
  ///
  /// - Parameter scaling: of the time, 10 in the published models (`timestep_scaling`).
  package static func boundary(_ timestep: Int, scaling: Double = 10) -> (skip: Double, out: Double) {
    let (time, variance) = (scaling * Double(timestep), 0.25)
    let sum = time * time + variance
    return (variance / sum, time / sum.squareRoot())
  }
}
