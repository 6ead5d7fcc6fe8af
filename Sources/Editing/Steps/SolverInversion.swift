import Tensors

/// Edit-friendly inversion along a second-order SDE solver, and sampling with what it leaves (Brack et al. 2024, perfect
/// inversion; Lu et al. 2022 for the solver).
///
///     x_k = A_k·x₀ + S_k·n_k;   δ_k = x_{k+1} − μ(x_k, m_k, m_{k−1})
///     edit: x_{k+1} = μ(x_k, m_k, m_{k−1}) + δ_k,   m the denoised latents of the edit
///
/// The authors divide δ by the noise of its step and drop that of the last step, which has none; kept as it is, the
/// prompt of the inversion returns the photo to rounding. Level ℓ is the ℓ-th from the end of the grid: the start at
/// level n, at level 0 what that prompt returns. Draws: the noise of each executed level in ascending time.
struct SolverInversion: Sendable {
  let method: String
  let grid: DPMGrid
  /// n, the executed steps: the last of the grid.
  let steps: Int
  /// The last steps that go without their residual.
  let zeroLast: Int

  /// - Parameter skip: part of n that the grid has beyond the executed steps, at its noisy end.
  init(
    method: String, _ schedule: NoiseSchedule, steps: Int, skip: Double, zeroLast: Int
  ) throws(EditError) {
    grid = try schedule.dpmGrid(steps: Self.levels(steps: steps, skip: skip), spacing: .leading)
    (self.method, self.steps, self.zeroLast) = (method, steps, zeroLast)
  }

  /// Levels of the grid: ⌊n·(1 + skip)⌋.
  static func levels(steps: Int, skip: Double) -> Int {
    Int((Double(steps) * (1 + skip) + 1e-9).rounded(.down))
  }

  /// Inverts a photo.
  ///
  /// - Parameters:
  ///   - prompt: nil for the empty one, unguided.
  ///   - new: the inversion to fill.
  func invert(
    _ source: Latent, from prompt: Condition?, _ guidance: Guidance, into new: Inversion,
    in context: EditContext
  ) async throws -> Inversion {
    let (model, tape, observer) = (context.diffusion, context.tape, context.observer)
    let first = grid.steps - steps
    func noised(_ k: Int) throws -> Latent {
      guard k < grid.steps else { return source }
      let n = try tape.normal(grid.steps - 1 - k, like: source)
      return .combination([(grid.signal[k], source), (grid.noise[k], n)])
    }

    let start = try noised(first)
    var inversion = new
    inversion.states[steps] = start
    var (x, previous) = (start, Latent?.none)
    for k in first..<grid.steps {
      let t = grid.timesteps[k]
      let eps =
        if let prompt {
          try await model.guided(x, timestep: t, prompt, guidance)
        } else {
          try await model.unguided(x, timestep: t)
        }
      let m = grid.denoised(k, x, eps)
      let residual = grid.residual(
        leadingTo: try noised(k + 1), k, from: x, denoised: m, previous: previous)
      x = try grid.step(k, x, denoised: m, previous: previous, .sde, plus: residual)
        .checked(method, step: k - first + 1)
      let level = grid.steps - k
      inversion.residuals[level] = residual
      observer("residuals", level > zeroLast ? residual : 0 * residual)
      // The authors' noise maps: for looking at.
      let scale = grid.noiseScale(k)
      observer("zs", (scale > 0 && level > zeroLast ? 1 / scale : 0) * residual)
      previous = m
    }
    inversion.states[0] = x
    observer("start", start)
    observer.inverted(inversion)
    return inversion
  }

  /// Samples with the photo's residuals.
  ///
  /// - Parameter noise: ε of executed step i, counted from 0, at a latent and a timestep.
  func sample(
    _ inversion: Inversion, in context: EditContext,
    noise: (_ i: Int, _ x: Latent, _ timestep: Int) async throws -> Latent
  ) async throws -> Latent {
    var (x, previous) = (try inversion.state(steps), Latent?.none)
    for (i, k) in (grid.steps - steps..<grid.steps).enumerated() {
      let m = grid.denoised(k, x, try await noise(i, x, grid.timesteps[k]))
      let level = grid.steps - k
      let residual = level > zeroLast ? try inversion.residual(level) : nil
      x = try grid.step(k, x, denoised: m, previous: previous, .sde, plus: residual)
        .checked(method, step: i + 1)
      previous = m
      context.observer("traj", x)
    }
    context.observer("out", x)
    return x
  }
}
