import Tensors

/// Timesteps of a latent consistency model, and what its network's answer is worth at each (Luo et al. 2023).
///
///     origin   k·i − 1,   i = 1 … M,   k = ⌊1000/original⌋,   M = ⌊original·strength⌋
///     t_j      the origin from its noisy end, at ⌊j·M/N⌋,   j = 0 … N − 1
///
/// The last timestep only says what the network is told: the picture that it predicts there is the result.
package struct ConsistencyGrid: Sendable, Equatable {
  /// Descending.
  package let timesteps: [Int]

  /// - Parameter strength: part of the schedule that is run, from its clean end.
  /// - Throws: `EditError.gridTooFine` for more steps than that part was distilled with.
  package init(
    steps: Int, originalSteps: Int = ConsistencyRule().originalSteps, strength: Double = 1
  ) throws(EditError) {
    let stride = NoiseSchedule.trainingSteps / originalSteps
    let origin = (1...originalSteps).prefix(transitions(strength, of: originalSteps)).map { stride * $0 - 1 }
    guard steps >= 1, steps <= origin.count else { throw .gridTooFine(steps: steps, limit: origin.count) }
    timesteps = (0..<steps).map { origin[origin.count - 1 - $0 * origin.count / steps] }
  }
}

/// How a latent consistency model was distilled. The defaults are those of all published ones.
package struct ConsistencyRule: Sendable, Equatable {
  /// Solver steps of the distillation (`original_inference_steps`).
  package var originalSteps = 50
  /// Of the time in the boundary (`timestep_scaling`).
  package var timestepScaling = 10.0

  package init() {}

  /// What makes a consistency function of a prediction, so that it is the identity at t = 0 (Song et al. 2023, eq. 5):
  ///
  ///     f(x, t) = c_skip·x + c_out·x̂₀,   c_skip = ¼/((10·t)² + ¼),   c_out = 10·t/√((10·t)² + ¼)
  package func boundary(_ timestep: Int) -> (skip: Double, out: Double) {
    let (time, variance) = (timestepScaling * Double(timestep), 0.25)
    let sum = time * time + variance
    return (variance / sum, time / sum.squareRoot())
  }
}

extension NoiseSchedule {
  /// Whether the grid has a timestep at all is the caller's to ask.
  ///
  /// - Throws: `EditError.gridTooFine`.
  package func consistencyGrid(steps: Int, strength: Double = 1) throws(EditError) -> ConsistencyGrid {
    try ConsistencyGrid(steps: steps, originalSteps: consistency.originalSteps, strength: strength)
  }
}
