import Tensors

extension Diffusion {
  /// Multistep sampling of a latent consistency model (Luo et al. 2023, algorithm 3): every prediction is a jump to the
  /// clean picture, and all but the last are noised again, to the next timestep.
  ///
  ///     d = c_skip·x + c_out·x̂₀(x, ε̃(x, t));   x ← a'·d + s'·z,   at the last timestep d
  ///
  /// Reports the states after `x`.
  ///
  /// - Parameters:
  ///   - x: at the first timestep of the grid.
  ///   - told: see `NoiseQuery.toldGuidance`.
  ///   - noise: z by the number of the step, from 0.
  func consistencySample(
    _ x: Latent, on grid: ConsistencyGrid, towards target: Condition, _ guidance: Guidance,
    telling told: Double?,
    method: String, observer: EditObserver, noise: (Int) throws -> Latent
  ) async throws -> Latent {
    var x = x
    for (i, timestep) in grid.timesteps.enumerated() {
      let eps = try await guided(x, timestep: timestep, target, guidance, telling: told)
      let (skip, out) = schedule.consistency.boundary(timestep)
      let (a, s) = (schedule.signal(timestep), schedule.noise(timestep))
      let d = (x: skip + out / a, eps: -out * s / a)
      if i + 1 < grid.timesteps.count {
        let next = grid.timesteps[i + 1]
        let a = schedule.signal(next)
        x = .combination([(a * d.x, x), (a * d.eps, eps), (schedule.noise(next), try noise(i))])
      } else {
        x = .combination([(d.x, x), (d.eps, eps)])
      }
      x = try x.checked(method, step: i + 1)
      observer("traj", x)
    }
    return x
  }
}
