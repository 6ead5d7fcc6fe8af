/// Timesteps of TurboEdit: what the network is told, and the lower level that the photo is noised to for it, so that
/// the noise maps have the statistics that a sampler of few steps expects (Deutch et al. 2024, time-shifted inversion).
///
///     τ     the trailing grid of N + 1 timesteps without its noisiest, descending
///     u_i = τ_i − (τ_0 − τ_1);   where that is not over 0, the photo itself
///
/// N = 3 is an exception of the released code: 799, 499, 199 over 599, 299 and the photo.
package struct ShiftedGrid: Sendable, Equatable {
  /// τ, what the network is told; descending.
  package let timesteps: [Int]
  /// u, by the same places; not over 0 for the photo itself.
  package let noiseTimesteps: [Int]
  private let alphaBars: [Double]

  package var steps: Int { timesteps.count }

  /// - Throws: `EditError.gridTooFine`; a shift takes two steps.
  package init(_ schedule: NoiseSchedule, steps: Int) throws(EditError) {
    if steps == 3 {
      (timesteps, noiseTimesteps) = ([799, 499, 199], [599, 299, 0])
    } else {
      let limit = NoiseSchedule.trainingSteps - 1
      guard (2...limit).contains(steps) else { throw .gridTooFine(steps: steps, limit: limit) }
      let grid = try schedule.samplingGrid(steps: steps + 1, spacing: .trailing)
      let told = Array(grid.timesteps.dropLast().reversed())
      (timesteps, noiseTimesteps) = (told, told.map { $0 - (told[0] - told[1]) })
    }
    alphaBars = timesteps.map(schedule.alphaBar) + [1]
  }

  /// The step from `level`, N … 1, down to the one below; it ends at ᾱ = 1.
  package func transition(from level: Int) -> Transition {
    let i = steps - level
    return Transition(timestep: timesteps[i], from: alphaBars[i], to: alphaBars[i + 1])
  }
}

extension NoiseSchedule {
  package func shiftedGrid(steps: Int) throws(EditError) -> ShiftedGrid {
    try ShiftedGrid(self, steps: steps)
  }
}
