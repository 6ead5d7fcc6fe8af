import Tensors

extension Diffusion {
  /// DDIM inversion: the sampling ODE run upwards (Song et al. 2021, section 4.3).
  ///
  ///     ε = ε̃(x_ℓ, τ_ℓ);   x_{ℓ+1} = a_t·(x_ℓ − s_u·ε)/a_u + s_t·ε,   t = τ_ℓ, u the level of x_ℓ
  ///
  /// The network is told the timestep it goes *to*; a velocity is converted with the level x is *on*.
  ///
  /// - Parameters:
  ///   - known: x at the levels from 1 upwards, where they were computed before.
  ///   - found: told every other x.
  /// - Returns: x at the levels 0…`levels`.
  package func ddimInversion(
    _ source: Latent, from prompt: Condition, guidance: Guidance, levels: Int, on grid: SamplingGrid,
    method: String, known: [Latent] = [], found: (Latent) async throws -> Void = { _ in }
  ) async throws -> [Latent] {
    var path = [source] + known.prefix(levels)
    for level in stride(from: path.count, through: levels, by: 1) {
      let step = grid.transition(from: level)
      let query = GuidedQuery(
        path[level - 1], timestep: step.timestep, prompt, guidance, levelAlphaBar: step.nextAlphaBar)
      let eps = try await guided([query])[0]
      path.append(try step.inverted(path[level - 1], eps).checked(method, step: level))
      try await found(path[level])
    }
    return path
  }
}

extension InvertingMethod {
  /// The photo's path y_0 … y_K as an inversion, found with the source prompt.
  func ddimInversion(
    _ inputs: EditInputs, guidance: Guidance, levels: Int, on grid: SamplingGrid, in context: EditContext
  ) async throws -> Inversion {
    let (source, prompt) = (try inputs.photo(for: name), try inputs.reference(for: name))
    let path = try await context.diffusion.ddimInversion(
      source, from: prompt, guidance: guidance, levels: levels, on: grid, method: name)
    for y in path { context.observer("inverted", y) }
    let inversion = newInversion(inputs.outline, states: path.byLevel)
    context.observer.inverted(inversion)
    return inversion
  }
}
