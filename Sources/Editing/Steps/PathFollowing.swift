import Tensors

extension Diffusion {
  /// Samples towards a target prompt with the noise that leads along the photo's own path y:
  ///
  ///     x_{ℓ−1} = y_{ℓ−1} + μ_η(x_ℓ, ε̃(x_ℓ; target)) − μ_η(y_ℓ, ε̃(y_ℓ; source)),   x_K = y_K
  ///
  /// ε̃(y_ℓ; source) is the path's. Where it has none yet it is asked for together with ε̃(x_ℓ; target), in one
  /// pass over the weights.
  ///
  /// - Parameters:
  ///   - levels: K.
  ///   - mask: outside it every state is the photo's own.
  ///   - step: the transition from a level to the one below.
  func follow(
    _ path: Inversion, from source: (prompt: Condition, Guidance), to target: (prompt: Condition, Guidance),
    levels: Int, eta: Double, keeping mask: Mask? = nil, method: String, observer: EditObserver,
    step: (Int) -> Transition
  ) async throws -> Latent {
    var path = path
    var x = try path.state(levels)
    for (i, level) in stride(from: levels, through: 1, by: -1).enumerated() {
      let (step, y, next) = (step(level), try path.state(level), try path.state(level - 1))
      var asked = [GuidedQuery(x, timestep: step.timestep, target.prompt, target.1)]
      if path.predictions[level] == nil {
        asked.append(GuidedQuery(y, timestep: step.timestep, source.prompt, source.1))
      }
      let eps = try await guided(asked)
      let epsY = path.predictions[level] ?? eps[1]
      if observer.keepsInversion { path.predictions[level] = epsY }
      x = step.pairedStep(x, eps[0], along: y, epsY, to: next, eta: eta)
      if let mask { x = mask.blend(inside: x, outside: next) }
      x = try x.checked(method, step: i + 1)
      observer("traj", x)
    }
    observer.inverted(path)
    observer("out", x)
    return x
  }
}
