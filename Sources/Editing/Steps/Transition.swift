import Tensors

/// One step of a sampler: from timestep t with ᾱ = b down to its predecessor with ᾱ = c.
///
///     x̂₀ = (x − √(1−b)·ε)/√b
///     V  = (1−c)/(1−b)·(1 − b/c)                       posterior variance
///     x' = √c·x̂₀ + √(1 − c − σ²)·ε + σ·z,   σ = η·√V
///
/// (Song et al. 2021, eq. 12 and 16.) η = 0 is the ODE (DDIM), η = 1 the SDE (DDPM ancestral sampling,
/// Ho et al. 2020, algorithm 2).
package struct Transition: Sendable, Equatable {
  /// What the network is told.
  package let timestep: Int
  /// ᾱ of the level the latent is on.
  package let alphaBar: Double
  /// ᾱ of the level it goes to.
  package let nextAlphaBar: Double

  package init(timestep: Int, from alphaBar: Double, to nextAlphaBar: Double) {
    self.timestep = timestep
    self.alphaBar = alphaBar
    self.nextAlphaBar = nextAlphaBar
  }

  /// V; 0 exactly where the step ends at ᾱ = 1.
  package var posteriorVariance: Double {
    max((1 - nextAlphaBar) / (1 - alphaBar) * (1 - alphaBar / nextAlphaBar), 0)
  }

  /// σ = η·√V.
  package func sigma(eta: Double) -> Double { eta * posteriorVariance.squareRoot() }

  /// Factors of x and ε in the step without its noise, `variance` being what the noise will add.
  package func coefficients(variance: Double) -> (x: Double, eps: Double) {
    let (b, c) = (alphaBar, nextAlphaBar)
    let direction = max(1 - c - variance, 0).squareRoot()  // below 0 by rounding only
    return ((c / b).squareRoot(), direction - (c * (1 - b) / b).squareRoot())
  }

  /// μ_η(x, ε): the step without its noise.
  package func mean(_ x: Latent, _ eps: Latent, eta: Double) -> Latent {
    let sigma = sigma(eta: eta)
    let k = coefficients(variance: sigma * sigma)
    return .combination([(k.x, x), (k.eps, eps)])
  }

  /// The whole step. `noise` is drawn only where σ > 0.
  package func step(
    _ x: Latent, _ eps: Latent, eta: Double, noise: @autoclosure () throws -> Latent
  ) rethrows -> Latent {
    let sigma = sigma(eta: eta)
    let k = coefficients(variance: sigma * sigma)
    guard sigma > 0 else { return .combination([(k.x, x), (k.eps, eps)]) }
    return .combination([(k.x, x), (k.eps, eps), (sigma, try noise())])
  }

  /// x̂₀ = (x − √(1−b)·ε)/√b.
  package func denoised(_ x: Latent, _ eps: Latent) -> Latent {
    let a = alphaBar.squareRoot()
    return .combination([(1 / a, x), (-(1 - alphaBar).squareRoot() / a, eps)])
  }

  /// The same step for two latents that share their noise, given where the second one ends:
  ///
  ///     x' = y' + (μ(x, ε_x) − μ(y, ε_y))
  ///
  /// the recorded noise (y' − μ(y, ε_y))/σ put into x without the division, so that it holds for σ = 0 too
  /// and x' = y' bit for bit where x = y and ε_x = ε_y (Nie et al. 2024, Cycle-SDE).
  package func pairedStep(
    _ x: Latent, _ epsX: Latent, along y: Latent, _ epsY: Latent, to next: Latent, eta: Double
  ) -> Latent {
    precondition([epsX, y, epsY, next].allSatisfy { $0.shape == x.shape })
    let sigma = sigma(eta: eta)
    let k = coefficients(variance: sigma * sigma)
    var out = next
    for i in out.values.indices {
      let meanX = k.x * Double(x.values[i]) + k.eps * Double(epsX.values[i])
      let meanY = k.x * Double(y.values[i]) + k.eps * Double(epsY.values[i])
      out.values[i] = Float(Double(next.values[i]) + (meanX - meanY))
    }
    return out
  }

  /// One step of the forward Markov chain, from `nextAlphaBar` up to `alphaBar`:
  /// √(b/c)·x + √(1 − b/c)·n.
  package func diffuse(_ x: Latent, _ noise: Latent) -> Latent {
    let ratio = alphaBar / nextAlphaBar
    return .combination([(ratio.squareRoot(), x), ((1 - ratio).squareRoot(), noise)])
  }

  /// The step upwards that the η = 0 step undoes when ε is the same (Song et al. 2021, section 4.3):
  /// √b·(x − √(1−c)·ε)/√c + √(1−b)·ε.
  package func inverted(_ x: Latent, _ eps: Latent) -> Latent {
    Transition(timestep: timestep, from: nextAlphaBar, to: alphaBar).mean(x, eps, eta: 0)
  }
}
